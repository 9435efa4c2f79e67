//! Linearizability of any history against any model, by search (Wing and Gong, with Lowe's memory of visited states).
//!
//! Exponential in the worst case: for small histories, and for testing faster judges.

use std::collections::{BTreeMap, BTreeSet};

use super::{Stats, Verdict, Violation, ViolationKind};
use crate::model::Model;

/// One operation of a concurrent history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<Op, Ret> {
    pub call: u64,
    pub op: Op,
    /// When and what was answered. `None`: never; it may take effect at any time after the call, or not at all.
    pub answer: Option<(u64, Ret)>,
}

/// Searches for an order of `calls` that keeps real time and satisfies `model`, looking at no more than `budget`
/// states. Numbers of operations in the verdict are places in `calls`.
pub fn check<M: Model>(model: &M, calls: &[Call<M::Op, M::Ret>], budget: u64) -> Verdict {
    let mut parts: BTreeMap<M::Part, Vec<usize>> = BTreeMap::new();
    for (id, call) in calls.iter().enumerate() {
        parts.entry(model.part(&call.op)).or_default().push(id);
    }
    let answered = calls.iter().filter(|call| call.answer.is_some()).count() as u64;
    let mut stats = Stats {
        ops: calls.len() as u64,
        checked: answered,
        unknown_fate: calls.len() as u64 - answered,
        ..Stats::default()
    };
    for ids in parts.values() {
        let mut search = Search::new(model, calls, ids, budget.saturating_sub(stats.states));
        let end = search.run();
        stats.states += search.states;
        match end {
            End::Linearizable => {}
            End::OutOfBudget => return Verdict::Unknown(format!("gave up after {} states", stats.states)),
            End::Stuck(id) => return Verdict::Illegal(stuck(calls, ids, id)),
        }
    }
    Verdict::Ok { stats }
}

fn stuck<Op: std::fmt::Debug, Ret: std::fmt::Debug>(
    calls: &[Call<Op, Ret>],
    ids: &[usize],
    id: usize,
) -> Violation {
    let call = &calls[id];
    let concurrent = ids.iter().copied().filter(|&other| {
        let before = calls[other].answer.as_ref().is_some_and(|(ret, _)| *ret < call.call);
        let after = call.answer.as_ref().is_some_and(|(ret, _)| *ret < calls[other].call);
        other != id && !before && !after
    });
    let ops: Vec<usize> = [id].into_iter().chain(concurrent).collect();
    let mut text = format!("no order of the operations lets #{id} answer what it did");
    for &id in &ops {
        let Call { call, op, answer } = &calls[id];
        text.push_str(&format!("\n    #{id} [{call}] {op:?} -> {answer:?}"));
    }
    Violation { kind: ViolationKind::NotLinearizable, text, ops }
}

enum End {
    Linearizable,
    /// No order gets past the answer of this operation.
    Stuck(usize),
    OutOfBudget,
}

/// A call or an answer in the order of time, in a linked list that operations leave when they are linearized.
struct Node {
    op: usize,
    is_answer: bool,
    previous: usize,
    next: usize,
}

/// An operation that was linearized, with the states it could have left that are still to be tried.
struct Step<S> {
    node: usize,
    before: S,
    untried: Vec<S>,
}

struct Search<'a, M: Model> {
    model: &'a M,
    calls: &'a [Call<M::Op, M::Ret>],
    ids: &'a [usize],
    /// `nodes[0]` is the head; the list is closed.
    nodes: Vec<Node>,
    /// The answer's node by operation.
    answers: Vec<Option<usize>>,
    answers_left: usize,
    linearized: Vec<u64>,
    seen: BTreeSet<(Vec<u64>, M::State)>,
    budget: u64,
    states: u64,
}

const HEAD: usize = 0;

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, calls: &'a [Call<M::Op, M::Ret>], ids: &'a [usize], budget: u64) -> Self {
        let mut events = Vec::new();
        for (op, &id) in ids.iter().enumerate() {
            events.push((calls[id].call, false, op));
            if let Some((ret, _)) = &calls[id].answer {
                events.push((*ret, true, op));
            }
        }
        events.sort_unstable();
        let len = events.len() + 1;
        let mut nodes = vec![Node { op: usize::MAX, is_answer: false, previous: len - 1, next: 1 % len }];
        let mut answers = vec![None; ids.len()];
        for (n, (_, is_answer, op)) in events.into_iter().enumerate() {
            let here = n + 1;
            if is_answer {
                answers[op] = Some(here);
            }
            nodes.push(Node { op, is_answer, previous: n, next: (here + 1) % len });
        }
        Self {
            model,
            calls,
            ids,
            nodes,
            answers_left: answers.iter().flatten().count(),
            answers,
            linearized: vec![0; ids.len().div_ceil(64)],
            seen: BTreeSet::new(),
            budget,
            states: 0,
        }
    }

    fn run(&mut self) -> End {
        let mut state = self.model.init();
        let mut steps: Vec<Step<M::State>> = Vec::new();
        let mut at = self.nodes[HEAD].next;
        let mut furthest = (0, None);
        while self.answers_left > 0 {
            if self.states >= self.budget {
                return End::OutOfBudget;
            }
            let here = &self.nodes[at];
            if at != HEAD && !here.is_answer {
                let (op, next) = (here.op, here.next);
                let call = &self.calls[self.ids[op]];
                let ret = call.answer.as_ref().map(|(_, ret)| ret);
                let untried = self.model.step(&state, &call.op, ret);
                let step = Step { node: at, before: state.clone(), untried };
                match self.take(step, &mut steps) {
                    Some(after) => {
                        state = after;
                        at = self.nodes[HEAD].next;
                    }
                    None => at = next,
                }
                continue;
            }
            // An answer whose operation is not linearized yet, or the end: something before has to change.
            if at != HEAD && furthest.1.is_none_or(|_| furthest.0 < steps.len()) {
                furthest = (steps.len(), Some(self.ids[here.op]));
            }
            let Some(step) = steps.pop() else {
                return End::Stuck(furthest.1.unwrap_or(self.ids[0]));
            };
            self.restore(step.node);
            state = step.before.clone();
            let node = step.node;
            match self.take(step, &mut steps) {
                Some(after) => {
                    state = after;
                    at = self.nodes[HEAD].next;
                }
                None => at = self.nodes[node].next,
            }
        }
        End::Linearizable
    }

    /// Linearizes the step's operation with its next untried state that leads somewhere new.
    fn take(&mut self, mut step: Step<M::State>, steps: &mut Vec<Step<M::State>>) -> Option<M::State> {
        let op = self.nodes[step.node].op;
        while let Some(after) = step.untried.pop() {
            self.states += 1;
            self.linearized[op / 64] |= 1 << (op % 64);
            if self.seen.insert((self.linearized.clone(), after.clone())) {
                self.lift(step.node);
                steps.push(step);
                return Some(after);
            }
            self.linearized[op / 64] &= !(1 << (op % 64));
        }
        None
    }

    fn lift(&mut self, node: usize) {
        self.unlink(node);
        if let Some(answer) = self.answers[self.nodes[node].op] {
            self.unlink(answer);
            self.answers_left -= 1;
        }
    }

    fn restore(&mut self, node: usize) {
        let op = self.nodes[node].op;
        if let Some(answer) = self.answers[op] {
            self.relink(answer);
            self.answers_left += 1;
        }
        self.relink(node);
        self.linearized[op / 64] &= !(1 << (op % 64));
    }

    fn unlink(&mut self, node: usize) {
        let Node { previous, next, .. } = self.nodes[node];
        self.nodes[previous].next = next;
        self.nodes[next].previous = previous;
    }

    fn relink(&mut self, node: usize) {
        let Node { previous, next, .. } = self.nodes[node];
        self.nodes[previous].next = node;
        self.nodes[next].previous = node;
    }
}

#[cfg(test)]
#[path = "wgl_tests.rs"]
mod tests;
