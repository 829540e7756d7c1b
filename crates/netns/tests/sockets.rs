// SPDX-License-Identifier: GPL-2.0-only
//! Netlink sockets: what the recordings of a real kernel do not show.

use std::{cell::RefCell, rc::Rc};

use kernel::{Bus, EAGAIN, EBADF, Kernel};
use machine_sim::{Config, First, Outcome, Sim};
use netns::{CLONE_NEWNET, Changes, NetNs, NetPtr, Patch, SocketOptions};

/// Messages that a socket has received, as type, flags, sequence number, and what is behind the header.
type Messages = Vec<(u8, u8, u8, Vec<u8>)>;

/// Runs a program on a booted subsystem, without preemption.
fn run<F, R: Default + 'static>(patches: Changes, main: impl FnOnce(Rc<NetNs>) -> F + 'static) -> R
where
    F: Future<Output = R> + 'static,
{
    let mut sim = Sim::new(Config::default());
    let result = Rc::new(RefCell::new(R::default()));
    let into = result.clone();
    let outcome = sim.run(&mut First, |bus: Rc<Bus>| async move {
        let config = netns::Config { max_net_namespaces: 10_000, ..netns::Config::default() };
        let ns = NetNs::new(Kernel::new(&bus), config, patches).expect("memory");
        ns.net_ns_init().await;
        into.replace(main(ns).await);
    });
    assert_eq!((outcome, sim.findings().len()), (Outcome::Done, 0), "{:?}", sim.findings());
    result.take()
}

/// A namespace with ids from 0 on for so many others.
async fn with_ids(ns: &NetNs, ids: i32) -> NetPtr {
    let net = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace");
    for id in 0..ids {
        let peer = ns.copy_net_ns(CLONE_NEWNET, ns.init_user_ns, ns.init_net).await.expect("a namespace");
        assert_eq!(ns.peernet2id_alloc(net, peer, kernel::Gfp::Kernel).await, id);
    }
    net
}

async fn open(ns: &NetNs, net: NetPtr, subscribed: bool) {
    ns.netlink_open(1, net, SocketOptions { portid: 7, subscribed, ..SocketOptions::default() }).await;
}

async fn received(ns: &NetNs) -> Vec<Messages> {
    let mut all = Vec::new();
    while let Ok(datagram) = ns.netlink_recvmsg(1, 65536).await {
        let mut messages = Messages::new();
        let mut rest = &datagram.data[..];
        while !rest.is_empty() {
            let len = usize::from(u16::from_le_bytes([rest[0], rest[1]]));
            messages.push((rest[4], rest[6], rest[8], rest[16..len].to_vec()));
            rest = &rest[len..];
        }
        all.push(messages);
    }
    assert_eq!(ns.netlink_recvmsg(1, 1).await, Err(EAGAIN));
    all
}

/// A request: RTM_NEWNSID (88) or RTM_GETNSID (90) with these flags.
fn request(r#type: u8, flags: u16, seq: u8, attributes: &[(u8, i32)]) -> Vec<u8> {
    let len = u8::try_from(20 + 8 * attributes.len()).expect("a short request");
    let [low, high] = flags.to_le_bytes();
    let mut bytes = vec![len, 0, 0, 0, r#type, 0, low, high, seq, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (nla, value) in attributes {
        bytes.extend([8, 0, *nla, 0]);
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

/// How many messages each datagram holds.
fn sizes(datagrams: &[Messages]) -> Vec<usize> {
    datagrams.iter().map(Vec::len).collect()
}

#[test]
fn a_dump_is_not_acknowledged_and_goes_on_as_it_is_read() {
    let datagrams: Vec<Messages> = run(Changes::none(), |ns| async move {
        let net = with_ids(&ns, 1300).await;
        open(&ns, net, false).await;
        ns.netlink_sendmsg(1, &request(90, 0x305, 9, &[])).await.expect("a socket");
        received(&ns).await
    });
    // The first page is small: nobody knows yet how much is read at once. No page has more than 32448 bytes.
    assert_eq!(sizes(&datagrams), [134, 1158, 8, 1]);
    assert_eq!(datagrams[3][0], (3, 2, 9, vec![0; 4]));
    let id = |n: usize| datagrams.concat()[n].3[8..].to_vec();
    assert_eq!((id(0), id(1299)), (vec![0; 4], vec![0x13, 5, 0, 0]));
}

#[test]
fn one_dump_at_a_time() {
    let datagrams: Vec<Messages> = run(Changes::none(), |ns| async move {
        let net = with_ids(&ns, 150).await;
        open(&ns, net, false).await;
        ns.netlink_sendmsg(1, &request(90, 0x301, 1, &[])).await.expect("a socket");
        ns.netlink_sendmsg(1, &request(90, 0x301, 2, &[])).await.expect("a socket");
        received(&ns).await
    });
    assert_eq!(sizes(&datagrams), [134, 1, 16, 1]);
    assert_eq!((datagrams[1][0].0, datagrams[1][0].2, datagrams[1][0].3[0]), (2, 2, 0_u8.wrapping_sub(16)));
}

#[test]
fn every_message_of_a_datagram_is_handled_up_to_what_is_none() {
    let datagrams: Vec<Messages> = run(Changes::none(), |ns| async move {
        open(&ns, ns.init_net, false).await;
        let mut datagram = request(90, 5, 1, &[(2, 1)]); // by pid 1: an answer and an ack
        datagram.extend(request(90, 0, 2, &[(2, 1)])); // no request: nothing
        datagram.extend(request(1, 5, 3, &[])); // NLMSG_NOOP: an ack
        datagram.extend([16, 0, 0, 0, 96, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0]); // beyond RTM_MAX: -EOPNOTSUPP
        datagram.extend([16, 0, 0, 0, 88, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0]); // without a family: an ack
        datagram.extend([15, 0, 0, 0]);
        datagram.extend(request(90, 5, 6, &[(2, 1)])); // not reached
        ns.netlink_sendmsg(1, &datagram).await.expect("a socket");
        received(&ns).await
    });
    let seen: Vec<(u8, u8, u8)> = datagrams.concat().iter().map(|m| (m.0, m.2, m.3[0])).collect();
    assert_eq!(seen, [(88, 1, 0), (2, 1, 0), (2, 3, 0), (2, 4, 0_u8.wrapping_sub(95)), (2, 5, 0)]);
}

#[test]
fn who_is_subscribed_gets_one_echo() {
    let later = Changes::from_iter([Patch::EchoNewnsid]);
    for (patches, subscribed, echoes) in
        [(later.clone(), true, 1), (later, false, 1), (Changes::none(), true, 1), (Changes::none(), false, 0)]
    {
        let datagrams: Vec<Messages> = run(patches, move |ns| async move {
            open(&ns, ns.init_net, subscribed).await;
            ns.netlink_sendmsg(1, &request(88, 13, 1, &[(1, 4), (2, 1)])).await.expect("a socket");
            received(&ns).await
        });
        let notified = datagrams.concat().iter().filter(|message| message.0 == 88).count();
        assert_eq!(notified, echoes, "subscribed: {subscribed}");
    }
}

#[test]
fn an_ack_without_memory_is_an_error_of_the_socket() {
    run::<_, ()>(Changes::none(), |ns| async move {
        open(&ns, ns.init_net, false).await;
        ns.k.faults.borrow_mut().arm(Some("skb"), 1, Some(1));
        ns.netlink_sendmsg(1, &request(96, 1, 1, &[])).await.expect("a socket");
        assert_eq!(ns.netlink_recvmsg(1, 100).await, Err(kernel::ENOBUFS));
        assert_eq!(ns.netlink_recvmsg(1, 100).await, Err(EAGAIN));
        assert_eq!(ns.netlink_sendmsg(2, &[]).await, Err(EBADF));
        assert_eq!(ns.netlink_recvmsg(2, 100).await, Err(EBADF));
    });
}

#[test]
fn who_reads_everything_hears_again() {
    run::<_, ()>(Changes::none(), |ns| async move {
        ns.listen(1, ns.init_net, false, true, 1).await;
        let net = with_ids(&ns, 0).await;
        for (round, reads) in [(0, true), (1, false)] {
            for _ in 0..2 {
                let peer = with_ids(&ns, 0).await;
                ns.peernet2id_alloc(ns.init_net, peer, kernel::Gfp::Kernel).await;
            }
            assert_eq!(ns.netlink_recvmsg(1, 100).await, Err(kernel::ENOBUFS), "round {round}");
            if reads {
                ns.netlink_recvmsg(1, 100).await.expect("a message");
            }
        }
        ns.put_net(net).await;
    });
}
