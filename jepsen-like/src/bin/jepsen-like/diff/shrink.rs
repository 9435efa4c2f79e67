//! Makes a difference small: as many steps as possible are left out, then as much as possible of what the rest says,
//! as long as the same kind of difference remains. Every attempt has fresh servers.
//!
//! Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002.

use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};

use super::duel::Clash;
use super::plan::{Action, Step};
use super::schema::Schema;

/// Steps whose contents are still looked at, once no more of them can be left out.
const STEPS_READ_MAX: usize = 12;

/// What an attempt found: the step that differed, and how.
pub type Found = (usize, Box<Clash>);

/// A small list of steps, and the difference it ends in.
pub struct Small {
    pub steps: Vec<Step>,
    pub clash: Box<Clash>,
    pub attempts: usize,
}

/// `attempt` plays a list; what it finds counts if it is of the kind of `clash`. Stops after about `budget`.
pub async fn shrink<E>(
    schema: &Schema,
    mut steps: Vec<Step>,
    clash: Box<Clash>,
    budget: Duration,
    mut attempt: impl AsyncFnMut(&[Step]) -> Result<Option<Found>, E>,
) -> Result<Small, E> {
    let kind = clash.fingerprint();
    let begin = Instant::now();
    let mut small = Small { steps: Vec::new(), clash, attempts: 0 };
    let mut try_it = async |candidate: &[Step], small: &mut Small| {
        small.attempts += 1;
        let Some((at, clash)) = attempt(candidate).await?.filter(|(_, clash)| clash.fingerprint() == kind)
        else {
            return Ok(None);
        };
        small.clash = clash;
        Ok(Some(candidate[..=at].to_vec()))
    };
    // Resting takes time and is rarely needed but at the end.
    if let Some((last, before)) = steps.split_last() {
        let rests = |step: &&Step| matches!(step.action, Action::Settle);
        let candidate: Vec<Step> = before.iter().filter(|step| !rests(step)).chain([last]).cloned().collect();
        steps = try_it(&candidate, &mut small).await?.unwrap_or(steps);
    }
    // Whole stretches first, then single steps. The last step is where it shows.
    let mut length = (steps.len() / 2).max(1);
    loop {
        let mut from = 0;
        let mut shorter = false;
        while from + 1 < steps.len() && begin.elapsed() < budget {
            let to = (from + length).min(steps.len() - 1);
            let candidate = [&steps[..from], &steps[to..]].concat();
            match try_it(&candidate, &mut small).await? {
                Some(fewer) => (steps, shorter) = (fewer, true),
                None => from = to,
            }
        }
        if begin.elapsed() >= budget || (length == 1 && !shorter) {
            break;
        }
        length = (length / 2).max(1);
    }
    // Then what the steps say, the telling one first.
    if steps.len() <= STEPS_READ_MAX {
        for at in (0..steps.len()).rev() {
            let mut choice = 0;
            while begin.elapsed() < budget && at < steps.len() {
                let Some(candidate) = simpler(schema, &steps[at], choice) else { break };
                let mut list = steps.clone();
                list[at] = candidate;
                match try_it(&list, &mut small).await? {
                    Some(fewer) => steps = fewer,
                    None => choice += 1,
                }
            }
        }
    }
    small.steps = steps;
    Ok(small)
}

/// The step with something left out of its request; `None` if there is no such `choice`.
pub fn simpler(schema: &Schema, step: &Step, choice: usize) -> Option<Step> {
    let simpler = |request: &Bytes| -> Option<Bytes> {
        let kind = schema.method(step.path())?.input();
        let mut message = schema.decode(kind, request.clone()).ok()?;
        let mut left = choice;
        remove_one(&mut message, &mut left).then(|| message.encode_to_vec().into())
    };
    let action = match &step.action {
        Action::Unary { path, request } => Action::Unary { path, request: simpler(request)? },
        Action::Watch { stream, request } => Action::Watch { stream: *stream, request: simpler(request)? },
        Action::Stream { path, requests, take } if choice < requests.len() && requests.len() > 1 => {
            let mut requests = requests.clone();
            requests.remove(choice);
            Action::Stream { path, requests, take: *take }
        }
        _ => return None,
    };
    Some(Step { action, caller: step.caller.clone() })
}

/// Leaves out part number `left` of a message: a field, a list's element, or a part of what is inside.
fn remove_one(message: &mut DynamicMessage, left: &mut usize) -> bool {
    let fields: Vec<_> = message.fields().map(|(field, _)| field).collect();
    for field in fields {
        // A list goes element by element.
        if !field.is_list() {
            if *left == 0 {
                message.clear_field(&field);
                return true;
            }
            *left -= 1;
        }
        let done = match message.get_field_mut(&field) {
            Value::List(values) if *left < values.len() => {
                values.remove(*left);
                true
            }
            Value::List(values) => {
                *left -= values.len();
                values.iter_mut().filter_map(Value::as_message_mut).any(|inner| remove_one(inner, left))
            }
            Value::Message(inner) => remove_one(inner, left),
            _ => false,
        };
        if done {
            return true;
        }
    }
    false
}
