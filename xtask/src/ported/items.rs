// SPDX-License-Identifier: GPL-2.0-only
//! Every item of Linux v4.11 that the port must have: name, file, line.

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It has a body, which some scenario must reach, and is a Rust `fn`.
    Function,
    /// A variable, a type, a constant, or a macro without a body of its own.
    Data,
}

/// An item of the C source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) file: &'static str,
    /// Where v4.11 has it; 0 where that is not checked.
    pub(crate) line: u32,
    pub(crate) kind: Kind,
}

const C: &str = "net/core/net_namespace.c";
const H: &str = "include/net/net_namespace.h";
const GENERIC_H: &str = "include/net/netns/generic.h";

const fn function(line: u32, name: &'static str) -> Item {
    Item { name, file: C, line, kind: Kind::Function }
}

const fn data(line: u32, name: &'static str) -> Item {
    Item { name, file: C, line, kind: Kind::Data }
}

const fn header(file: &'static str, kind: Kind, name: &'static str) -> Item {
    Item { name, file, line: 0, kind }
}

/// In the order of the files. Two lines with one name are its two configurations, with and without
/// `CONFIG_NET_NS`.
pub(crate) const ITEMS: &[Item] = &[
    data(30, "pernet_list"),
    data(31, "first_device"),
    data(32, "net_mutex"),
    data(34, "net_namespace_list"),
    data(37, "init_net"),
    data(42, "init_net_initialized"),
    data(44, "MIN_PERNET_OPS_ID"),
    data(47, "INITIAL_NET_GEN_PTRS"),
    data(49, "max_gen_ptrs"),
    function(51, "net_alloc_generic"),
    function(63, "net_assign_generic"),
    function(101, "ops_init"),
    function(128, "ops_free"),
    function(135, "ops_exit_list"),
    function(147, "ops_free_list"),
    function(158, "alloc_netid"),
    data(175, "NET_ID_ZERO"),
    function(176, "net_eq_idr"),
    function(187, "__peernet2id_alloc"),
    function(210, "__peernet2id"),
    function(221, "peernet2id_alloc"),
    function(238, "peernet2id"),
    function(252, "peernet_has_id"),
    function(257, "get_net_ns_by_id"),
    function(278, "setup_net"),
    function(319, "inc_net_namespaces"),
    function(324, "dec_net_namespaces"),
    data(329, "net_cachep"),
    data(330, "netns_wq"),
    function(332, "net_alloc"),
    function(354, "net_free"),
    function(360, "net_drop_ns"),
    function(367, "copy_net_ns"),
    data(414, "cleanup_list_lock"),
    data(415, "cleanup_list"),
    function(417, "cleanup_net"),
    data(484, "net_cleanup_work"),
    function(486, "__put_net"),
    function(499, "get_net_ns_by_fd"),
    function(520, "get_net_ns_by_fd"),
    function(527, "get_net_ns_by_pid"),
    function(549, "net_ns_net_init"),
    function(557, "net_ns_net_exit"),
    data(562, "net_ns_ops"),
    data(567, "rtnl_net_policy"),
    function(574, "rtnl_net_newid"),
    function(616, "rtnl_net_get_size"),
    function(623, "rtnl_net_fill"),
    function(647, "rtnl_net_getid"),
    data(691, "rtnl_net_dump_cb"),
    function(699, "rtnl_net_dumpid_one"),
    function(718, "rtnl_net_dumpid"),
    function(737, "rtnl_net_notifyid"),
    function(759, "net_ns_init"),
    function(804, "__register_pernet_operations"),
    function(830, "__unregister_pernet_operations"),
    function(844, "__register_pernet_operations"),
    function(855, "__unregister_pernet_operations"),
    data(869, "net_generic_ids"),
    function(871, "register_pernet_operations"),
    function(898, "unregister_pernet_operations"),
    function(926, "register_pernet_subsys"),
    function(945, "unregister_pernet_subsys"),
    function(972, "register_pernet_device"),
    function(993, "unregister_pernet_device"),
    function(1004, "netns_get"),
    function(1018, "to_net_ns"),
    function(1023, "netns_put"),
    function(1028, "netns_install"),
    function(1041, "netns_owner"),
    data(1046, "netns_operations"),
    header(H, Kind::Data, "struct net"),
    header(H, Kind::Function, "get_net"),
    header(H, Kind::Function, "maybe_get_net"),
    header(H, Kind::Function, "put_net"),
    header(H, Kind::Function, "net_eq"),
    header(H, Kind::Data, "for_each_net"),
    header(H, Kind::Data, "for_each_net_rcu"),
    header(H, Kind::Data, "struct pernet_operations"),
    header(GENERIC_H, Kind::Data, "struct net_generic"),
    header(GENERIC_H, Kind::Function, "net_generic"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_has_no_twins() {
        let lines: Vec<u32> = ITEMS.iter().filter(|item| item.file == C).map(|item| item.line).collect();
        assert!(lines.is_sorted_by(|a, b| a < b), "{lines:?}");
        for (i, item) in ITEMS.iter().enumerate() {
            assert!(!ITEMS[..i].contains(item), "{item:?}");
        }
    }
}
