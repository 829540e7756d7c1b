// SPDX-License-Identifier: GPL-2.0-only
//! The kernel functions that scenarios may speak of, and what is wrong with a name that is none.

use crate::diagnostic::similar;

/// Every function that says that it is entered, and what steps say where no function does.
pub const FUNCTIONS: &[&str] = &[
    "__peernet2id",
    "__peernet2id_alloc",
    "__put_net",
    "__register_pernet_operations",
    "__unregister_pernet_operations",
    "alloc_netid",
    "allocate_object",
    "barrier",
    "call_rcu",
    "cleanup_net",
    "complete",
    "cond_resched",
    "copy_namespaces",
    "copy_net_ns",
    "copy_process",
    "create_new_namespaces",
    "create_user_ns",
    "dec_net_namespaces",
    "dec_ucount",
    "default_device_exit",
    "delay_work",
    "delayed_put_task_struct",
    "delete_module",
    "dev_hold",
    "dev_put",
    "do_init_module",
    "dst_destroy_rcu",
    "dst_release",
    "exit_task_namespaces",
    "flush_workqueue",
    "fput",
    "free_module",
    "free_nsproxy",
    "free_object",
    "get_net",
    "get_net_ns_by_fd",
    "get_net_ns_by_id",
    "get_net_ns_by_pid",
    "get_ucounts",
    "get_user_ns",
    "inc_net_namespaces",
    "inc_ucount",
    "ipgre_init_net",
    "ipgre_rcv",
    "kfree_rcu",
    "load_module",
    "loopback_net_init",
    "maybe_get_net",
    "msleep",
    "net_alloc",
    "net_alloc_generic",
    "net_assign_generic",
    "net_complete_free",
    "net_drop_ns",
    "net_eq",
    "net_eq_idr",
    "net_free",
    "net_generic",
    "net_mutex_lock",
    "net_mutex_lock_killable",
    "net_mutex_unlock",
    "net_ns_barrier",
    "net_ns_init",
    "net_ns_net_exit",
    "net_ns_net_init",
    "netdev_event",
    "netdev_wait_allrefs",
    "netif_receive_skb",
    "netlink_broadcast",
    "netlink_create",
    "netlink_dump",
    "netlink_rcv_skb",
    "netlink_recvmsg",
    "netlink_release",
    "netlink_sendmsg",
    "netlink_table_grab",
    "netlink_unicast",
    "netns_get",
    "netns_install",
    "netns_owner",
    "netns_put",
    "nf_conntrack_cleanup_net",
    "nf_conntrack_cleanup_net_list",
    "nf_conntrack_helper_unregister",
    "nf_conntrack_init_net",
    "nf_ct_helper_destroy",
    "nf_unregister_net_hook",
    "nfqnl_nf_hook_drop",
    "ns_alloc_inum",
    "ns_free_inum",
    "ns_get_owner",
    "ns_get_path",
    "nsfs_evict",
    "ops_exit_list",
    "ops_free",
    "ops_free_list",
    "ops_init",
    "passive_get",
    "peernet2id",
    "peernet2id_alloc",
    "peernet_has_id",
    "pernet_exit",
    "pernet_exit_batch",
    "pernet_init",
    "proc_ns_fget",
    "process_one_work",
    "put_net",
    "put_ucounts",
    "put_user_ns",
    "rcu_barrier",
    "rcu_gp_cleanup",
    "rcu_gp_init",
    "rcu_gp_kthread",
    "rcu_process_callbacks",
    "rcu_read",
    "read_net_generic",
    "read_object",
    "register_netdev",
    "register_netdevice_notifier",
    "register_pernet_device",
    "register_pernet_operations",
    "register_pernet_subsys",
    "release_task",
    "rescuer_thread",
    "rtnetlink_rcv",
    "rtnetlink_rcv_msg",
    "rtnl_lock",
    "rtnl_net_dumpid",
    "rtnl_net_dumpid_one",
    "rtnl_net_fill",
    "rtnl_net_get_size",
    "rtnl_net_getid",
    "rtnl_net_newid",
    "rtnl_net_notifyid",
    "rtnl_unlock",
    "setup_net",
    "stuck_net_init",
    "switch_task_namespaces",
    "synchronize_net",
    "synchronize_rcu",
    "synchronize_rcu_expedited",
    "sys_close",
    "sys_kill",
    "sys_open",
    "sys_setns",
    "sys_unshare",
    "sysctl_core_net_exit",
    "sysctl_core_net_init",
    "to_net_ns",
    "touch_net",
    "unregister_netdev",
    "unregister_netdevice_notifier",
    "unregister_pernet_device",
    "unregister_pernet_operations",
    "unregister_pernet_subsys",
    "usleep_range",
    "wait_for_completion",
    "wait_task_zombie",
    "write_net_generic",
    "write_object",
    "xfrm_net_exit",
];

/// What to do about a name that is none of them; nothing if it is one.
pub(crate) fn help_for(name: &str) -> Option<String> {
    if FUNCTIONS.contains(&name) {
        return None;
    }
    Some(match similar(name, FUNCTIONS.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`sim list functions` shows those that say that they are entered".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn collect(directory: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).expect("a directory of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let calls = text.split("function!(\"").skip(1);
                names.extend(calls.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()));
            }
        }
    }

    #[test]
    fn the_list_is_that_of_the_sources() {
        let mut names = BTreeSet::new();
        for part in ["kernel", "netns", "scenario"] {
            collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(part).join("src"), &mut names);
        }
        names.remove(""); // of this test
        let listed: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(FUNCTIONS, listed);
    }

    #[test]
    fn misspelt_names_are_recognised() {
        assert_eq!(help_for("put_net"), None);
        assert_eq!(help_for("puts_net").as_deref(), Some("did you mean `put_net`?"));
        assert!(help_for("vfs_read").is_some_and(|help| help.contains("sim list")));
    }
}
