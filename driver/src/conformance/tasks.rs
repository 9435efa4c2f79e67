//! Tasks.
//!
//! - `spawn` and `spawn_pinned` run a task to its end without anybody waiting for it, however many there are; a task may
//!   spawn others, and either kind may use every port.
//! - A task that waits is woken from any other task of either kind.
use crate::{
    Runtime,
    mailbox::{Mailbox, Refused},
};
use detcd_core::Span;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

const TASKS: u64 = 2_000;
const PINNED: u64 = 8;
const LETTERS: u64 = 500;

pub async fn tasks<R: Runtime>(rt: &R) {
    many_tasks_end(rt).await;
    tasks_wake_each_other(rt).await;
}

async fn many_tasks_end<R: Runtime>(rt: &R) {
    let ended = Arc::new(AtomicU64::new(0));
    for number in 0..TASKS + PINNED {
        let (task_rt, ended) = (rt.clone(), ended.clone());
        let task = async move {
            task_rt.sleep_until(task_rt.now() + Span::millis(number % 5)).await;
            let ended_too = ended.clone();
            task_rt.spawn("conformance", async move {
                ended_too.fetch_add(1, Ordering::SeqCst);
            });
            ended.fetch_add(1, Ordering::SeqCst);
        };
        if number < TASKS {
            rt.spawn("conformance", task);
        } else {
            rt.spawn_pinned("conformance", task);
        }
    }
    let all = 2 * (TASKS + PINNED);
    super::until(rt, "every task ends, and every task that those spawned", || {
        ended.load(Ordering::SeqCst) == all
    })
    .await;
}

/// Two tasks of each kind throw a ball to each other through bounded boxes with one place.
async fn tasks_wake_each_other<R: Runtime>(rt: &R) {
    for pinned in [[false, false], [false, true], [true, false], [true, true]] {
        let boxes = [Mailbox::<u64>::bounded(1), Mailbox::<u64>::bounded(1)];
        let ended = Arc::new(AtomicU64::new(0));
        for (side, pinned) in pinned.into_iter().enumerate() {
            let (ours, theirs) = (boxes[side].clone(), boxes[1 - side].clone());
            let ended = ended.clone();
            let task = async move {
                let mut taken = Vec::new();
                while ours.recv_batch(&mut taken, 1).await {
                    let ball = taken.pop().expect("an open box gives something");
                    if ball == LETTERS {
                        theirs.close();
                        break;
                    }
                    match theirs.push(ball + 1) {
                        Ok(()) => {}
                        Err(Refused::Full | Refused::Closed) => panic!("there is one ball only"),
                    }
                }
                ended.fetch_add(1, Ordering::SeqCst);
            };
            if pinned {
                rt.spawn_pinned("conformance", task);
            } else {
                rt.spawn("conformance", task);
            }
        }
        boxes[0].push(1).expect("an empty box has room");
        super::until(rt, "a ball goes to and fro until both tasks end", || ended.load(Ordering::SeqCst) == 2)
            .await;
    }
}
