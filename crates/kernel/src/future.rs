// SPDX-License-Identifier: GPL-2.0-only
//! Futures without a state of their own. An async block would do; it keeps one beside those of what it awaits.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// What becomes of what a future gives.
pub(crate) struct Map<F, M> {
    future: F,
    map: M,
}

/// `async move { map(future.await) }`
#[inline]
pub(crate) fn map<F, M, T>(future: F, map: M) -> Map<F, M>
where
    F: Future + Unpin,
    M: FnMut(F::Output) -> T + Unpin,
{
    Map { future, map }
}

/// `async move { future.await; }`
#[inline]
pub(crate) fn done<F: Future + Unpin>(future: F) -> impl Future<Output = ()> + Unpin {
    map(future, |_| ())
}

impl<F, M, T> Future for Map<F, M>
where
    F: Future + Unpin,
    M: FnMut(F::Output) -> T + Unpin,
{
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Map { future, map } = self.get_mut();
        Pin::new(future).poll(cx).map(map)
    }
}

/// What unmarked accesses give: at once, or never, if one of them faults. They are made where this is created.
#[must_use = "a faulting access goes unnoticed unless awaited"]
pub(crate) struct AtOnce<T>(pub(crate) Option<T>);

impl<T> Unpin for AtOnce<T> {} // it is taken out by value

impl<T> Future for AtOnce<T> {
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        self.get_mut().0.take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// An operation's answer; 0 if it is not there.
pub(crate) struct Answer<F>(pub(crate) Option<F>);

impl<F: Future<Output = i64> + Unpin> Future for Answer<F> {
    type Output = i64;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<i64> {
        self.get_mut().0.as_mut().map_or(Poll::Ready(0), |future| Pin::new(future).poll(cx))
    }
}

/// A future, or nothing to wait for.
pub(crate) struct Maybe<F>(pub(crate) Option<F>);

impl<F: Future + Unpin> Future for Maybe<F> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().0.as_mut().map_or(Poll::Ready(()), |future| Pin::new(future).poll(cx).map(|_| ()))
    }
}
