//! A condition: `target("key") op "value"`.

use detcd_proto::etcdserverpb::Compare;
use detcd_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};

use crate::ctl::exit::Exit;
use crate::ctl::go;

/// Reads one condition. Blanks around the operator are needed; what follows the value does not matter.
pub fn parse(line: &[u8]) -> Result<Compare, Exit> {
    let text = String::from_utf8_lossy(line);
    let Some(paren) = line.iter().position(|byte| *byte == b'(') else {
        return Err(Exit::invalid_input(format!("malformed comparison: {text}")));
    };
    let target = String::from_utf8_lossy(&line[..paren]);
    let parts = Parts::scan(&line[paren + 1..]);
    if !parts.is_whole {
        let quoted = |bytes: &[u8]| go::quote(bytes);
        return Err(Exit::invalid_input(format!(
            "malformed comparison: {text}; got {target}({}) {} {}",
            quoted(&parts.key),
            parts.op,
            quoted(&parts.value)
        )));
    }
    let number = |base| {
        go::parse_int(&String::from_utf8_lossy(&parts.value), base)
            .map_err(|_| Exit::invalid_input(format!("invalid txn compare request: {text}")))
    };
    let (target, union) = match target.as_ref() {
        "ver" | "version" => (CompareTarget::Version, TargetUnion::Version(number(10)?)),
        "c" | "create" => (CompareTarget::Create, TargetUnion::CreateRevision(number(10)?)),
        "m" | "mod" => (CompareTarget::Mod, TargetUnion::ModRevision(number(10)?)),
        "val" | "value" => (CompareTarget::Value, TargetUnion::Value(parts.value.clone().into())),
        // Released etcdctls crash here; the next one reads hexadecimal, as lease IDs are written everywhere.
        "lease" => (CompareTarget::Lease, TargetUnion::Lease(number(16)?)),
        _ => {
            let why = format!("malformed comparison: {text} (unknown target {target})");
            return Err(Exit::invalid_input(why));
        }
    };
    let result = match parts.op.as_str() {
        "=" => CompareResult::Equal,
        "!=" => CompareResult::NotEqual,
        ">" => CompareResult::Greater,
        "<" => CompareResult::Less,
        _ => return Err(Exit::panic("Unknown result op")),
    };
    Ok(Compare {
        result: result.into(),
        target: target.into(),
        key: parts.key.into(),
        range_end: Default::default(),
        target_union: Some(union),
    })
}

/// What stands behind the opening parenthesis, as far as it could be read.
#[derive(Default)]
struct Parts {
    key: Vec<u8>,
    op: String,
    value: Vec<u8>,
    is_whole: bool,
}

impl Parts {
    fn scan(text: &[u8]) -> Parts {
        let mut parts = Parts::default();
        parts.is_whole = parts.fill(text).is_some();
        parts
    }

    fn fill(&mut self, text: &[u8]) -> Option<()> {
        let key = go::unquote(text).ok()?;
        self.key = key.value;
        let rest = skip_blanks(key.rest.strip_prefix(b")")?)?;
        let op_end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        self.op = String::from_utf8_lossy(&rest[..op_end]).into_owned();
        let value = go::unquote(skip_blanks(&rest[op_end..])?).ok()?;
        self.value = value.value;
        Some(())
    }
}

/// The text behind the blanks at its front; `None` if there are none.
fn skip_blanks(text: &[u8]) -> Option<&[u8]> {
    let rest = text.trim_ascii_start();
    (rest.len() < text.len()).then_some(rest)
}
