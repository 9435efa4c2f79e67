//! The clocks.
//!
//! - `now` never goes back, whichever task asks.
//! - `sleep_until` never wakes early, and soon after its moment. A moment that has passed is no wait. A moment without end
//!   is waited for without end.
//! - `wall_nanos` is a time of our days.
//! - `entropy` gives another number each time.
use crate::Runtime;
use detcd_core::{Moment, Span};
use std::{
    collections::BTreeSet,
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};

/// How late a wake-up may be: a loaded machine is slow, a broken timer never rings.
const LATE_MAX: Span = Span::secs(5);

pub async fn clock<R: Runtime>(rt: &R) {
    never_goes_back(rt).await;
    never_wakes_early(rt).await;
    the_past_is_no_wait(rt).await;
    the_end_of_time_is_no_alarm(rt).await;
    // 2020-01-01 and 2100-01-01 in nanoseconds since 1970.
    let wall = rt.wall_nanos();
    assert!((1_577_836_800_000_000_000..4_102_444_800_000_000_000).contains(&wall), "a wall clock at {wall}");
    let seeds: BTreeSet<u64> = (0..100).map(|_| rt.entropy()).collect();
    assert_eq!(seeds.len(), 100, "a seed was given twice");
}

async fn never_goes_back<R: Runtime>(rt: &R) {
    let latest = Arc::new(AtomicU64::new(rt.now().0));
    let ended = Arc::new(AtomicU64::new(0));
    for number in 0..6 {
        let (clock, latest, ended) = (rt.clone(), latest.clone(), ended.clone());
        let task = async move {
            for _ in 0..200 {
                // Whoever has read a moment has read it before this is asked.
                let before = latest.load(Ordering::SeqCst);
                let now = clock.now().0;
                assert!(before <= now, "the clock went back from {before} to {now}");
                latest.fetch_max(now, Ordering::SeqCst);
                if now % 7 == 0 {
                    clock.sleep_until(clock.now() + Span::millis(1)).await;
                }
            }
            ended.fetch_add(1, Ordering::SeqCst);
        };
        if number % 2 == 0 {
            rt.spawn("conformance", task);
        } else {
            rt.spawn_pinned("conformance", task);
        }
    }
    super::until(rt, "six tasks read the clock and find that it does not go back", || {
        ended.load(Ordering::SeqCst) == 6
    })
    .await;
}

async fn never_wakes_early<R: Runtime>(rt: &R) {
    for nanos in [1, 999, 1_000_000, 1_000_001, 7_777_777, 50_000_000] {
        let at = Moment(rt.now().0 + nanos);
        rt.sleep_until(at).await;
        let now = rt.now();
        assert!(now >= at, "woke {} ns too early", at.0 - now.0);
        assert!(now < at + LATE_MAX, "woke {} ns late", now.0 - at.0);
    }
}

async fn the_past_is_no_wait<R: Runtime>(rt: &R) {
    let begun = rt.now();
    for at in [Moment(0), Moment(begun.0.saturating_sub(1)), begun] {
        for _ in 0..50 {
            rt.sleep_until(at).await;
        }
    }
    // Less than a timer's smallest step for each of them.
    assert!(rt.now() < begun + Span::millis(150), "waited for what has passed");
}

async fn the_end_of_time_is_no_alarm<R: Runtime>(rt: &R) {
    let mut sleep = pin!(rt.sleep_until(Moment(u64::MAX)));
    let at = rt.now() + Span::millis(20);
    let mut soon = pin!(rt.sleep_until(at));
    poll_fn(|cx| {
        assert!(sleep.as_mut().poll(cx).is_pending(), "the end of time has come");
        match soon.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
}
