//! What a server answered, and in which fields two answers differ.

use std::fmt::Write as _;

use prost_reflect::text_format::FormatOptions;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

/// How a text that begins like this is meant: the server under test has the method not built yet, and says so.
const NOT_BUILT: &str = "unimplemented:";

/// The longest value that is told in full, in characters.
const SHOWN_MAX: usize = 300;

/// Everything that came back from one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub messages: Vec<DynamicMessage>,
    /// Code and text; `(0, "")` if all went well.
    pub status: (i32, String),
    /// HTTP's own code, if it came through the gateway.
    pub http: Option<u16>,
}

impl Answer {
    pub fn empty() -> Answer {
        Answer { messages: Vec::new(), status: (0, String::new()), http: None }
    }

    pub fn failed(status: &tonic::Status) -> Answer {
        Answer { status: (i32::from(status.code()), status.message().to_owned()), ..Answer::empty() }
    }

    pub fn is_ok(&self) -> bool {
        self.status.0 == 0
    }

    pub fn is_not_built(&self) -> bool {
        self.status.0 == i32::from(tonic::Code::Unimplemented) && self.status.1.starts_with(NOT_BUILT)
    }

    /// The newest revision that a header of this answer tells.
    pub fn revision(&self) -> Option<i64> {
        self.messages.iter().filter_map(header_revision).max()
    }

    /// The answer in words, one message a line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for message in &self.messages {
            let shown = show(message);
            writeln!(text, "{}", if shown.is_empty() { "(an empty message)" } else { &shown })
                .expect("a String takes everything");
        }
        if !self.is_ok() {
            writeln!(text, "{}", self.status_text()).expect("a String takes everything");
        }
        text
    }

    fn status_text(&self) -> String {
        if self.is_ok() {
            return "OK".to_owned();
        }
        format!("{:?}: {}", tonic::Code::from_i32(self.status.0), self.status.1)
    }
}

/// `header.revision` of a message that has a header.
pub fn header_revision(message: &DynamicMessage) -> Option<i64> {
    let header = message.get_field_by_name("header")?;
    header.as_message()?.get_field_by_name("revision")?.as_i64()
}

/// A message on one line.
pub fn show(message: &DynamicMessage) -> String {
    shortened(&message.to_text_format_with_options(&FormatOptions::new()), 4 * SHOWN_MAX)
}

fn shortened(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max).collect();
    format!("{kept}… ({} bytes)", text.len())
}

/// One field in which two answers differ; `None` is a field that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Like `[0].kvs[2].lease` or `status`.
    pub path: String,
    pub a: Option<String>,
    pub b: Option<String>,
}

impl Difference {
    /// The path without its numbers: the same in every answer of the kind.
    pub fn kind(&self) -> String {
        let mut kind = String::new();
        let mut inside = false;
        for letter in self.path.chars() {
            inside = (inside || letter == '[') && letter != ']';
            if !inside && letter != ']' {
                kind.push(letter);
            }
        }
        kind
    }
}

/// All fields in which `a` and `b` differ, in order of the messages.
pub fn differences(a: &Answer, b: &Answer) -> Vec<Difference> {
    let mut found = Vec::new();
    if a.status != b.status {
        found.push(Difference {
            path: "status".to_owned(),
            a: Some(a.status_text()),
            b: Some(b.status_text()),
        });
        // What came with it differs for the same reason.
        return found;
    }
    if a.http != b.http {
        let text = |http: Option<u16>| http.map(|http| http.to_string());
        found.push(Difference { path: "http".to_owned(), a: text(a.http), b: text(b.http) });
    }
    for at in 0..a.messages.len().max(b.messages.len()) {
        let sides = [a.messages.get(at), b.messages.get(at)];
        compare_messages(&format!("[{at}]"), sides, &mut found);
    }
    found
}

type Sides<'a, T> = [Option<&'a T>; 2];

fn compare_messages(path: &str, sides: Sides<'_, DynamicMessage>, found: &mut Vec<Difference>) {
    let [Some(a), Some(b)] = sides else {
        let text = |side: Option<&DynamicMessage>| side.map(show);
        found.push(Difference { path: path.to_owned(), a: text(sides[0]), b: text(sides[1]) });
        return;
    };
    if a == b {
        return;
    }
    for field in a.descriptor().fields() {
        let values = [a, b].map(|message| message.has_field(&field).then(|| message.get_field(&field)));
        let sides = [values[0].as_deref(), values[1].as_deref()];
        if sides[0] != sides[1] {
            compare_values(&format!("{path}.{}", field.name()), &field, sides, found);
        }
    }
    let unknown = |message: &DynamicMessage| message.unknown_fields().map(|f| f.number()).collect::<Vec<_>>();
    if unknown(a) != unknown(b) {
        let text = |message| Some(format!("{:?}", unknown(message)));
        found.push(Difference { path: format!("{path}.(unknown fields)"), a: text(a), b: text(b) });
    }
}

fn compare_values(path: &str, field: &FieldDescriptor, sides: Sides<'_, Value>, found: &mut Vec<Difference>) {
    match sides {
        [Some(Value::Message(a)), Some(Value::Message(b))] => {
            compare_messages(path, [Some(a), Some(b)], found)
        }
        [Some(Value::List(_)), _] | [_, Some(Value::List(_))] => {
            let lists = sides.map(|side| side.and_then(Value::as_list).unwrap_or_default());
            for at in 0..lists[0].len().max(lists[1].len()) {
                let items = [lists[0].get(at), lists[1].get(at)];
                if items[0] != items[1] {
                    compare_values(&format!("{path}[{at}]"), field, items, found);
                }
            }
        }
        _ => {
            let text = |side: Option<&Value>| side.map(|value| value_text(field, value));
            found.push(Difference { path: path.to_owned(), a: text(sides[0]), b: text(sides[1]) });
        }
    }
}

fn value_text(field: &FieldDescriptor, value: &Value) -> String {
    let text = match (value, field.kind()) {
        (Value::Bytes(bytes), _) => format!("\"{}\"", bytes.escape_ascii()),
        (Value::Message(message), _) => format!("{{{}}}", show(message)),
        (Value::EnumNumber(number), Kind::Enum(kind)) => {
            kind.get_value(*number).map_or_else(|| number.to_string(), |value| value.name().to_owned())
        }
        _ => value.to_string(),
    };
    shortened(&text, SHOWN_MAX)
}
