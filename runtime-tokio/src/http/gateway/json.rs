//! Messages as JSON, by their descriptors. Source: contract-api 7.2 and 7.3.
use bytes::Bytes;
use prost_reflect::{
    DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions, prost::Message as _,
};
use serde_json::{Deserializer, Serializer};
use std::mem;

/// The first JSON value of a request as a message on the wire; what follows it is not looked at. Errors are the text
/// for the caller.
pub fn to_wire(message: &MessageDescriptor, json: &[u8]) -> Result<Bytes, String> {
    let mut json = Deserializer::from_slice(json);
    // What is unknown is ignored, so that a newer client can speak to an older member.
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    match DynamicMessage::deserialize_with_options(message.clone(), &mut json, &options) {
        Ok(message) => Ok(message.encode_to_vec().into()),
        Err(error) => Err(format!("proto: {error}")),
    }
}

/// A message from the wire as JSON: names of the .proto files, 64-bit integers as text, nothing that is zero or empty.
pub fn from_wire(message: &MessageDescriptor, wire: Bytes) -> Result<Vec<u8>, String> {
    let message = DynamicMessage::decode(message.clone(), wire).map_err(|error| error.to_string())?;
    let options = SerializeOptions::new().use_proto_field_name(true);
    let mut json = Vec::new();
    message
        .serialize_with_options(&mut Serializer::new(&mut json), &options)
        .map_err(|error| error.to_string())?;
    Ok(json)
}

/// JSON as it may stand in a page: what a browser could take for markup is escaped. These characters stand only
/// inside strings.
pub fn escape_markup(json: Vec<u8>) -> Vec<u8> {
    let harmless = |byte: &u8| !matches!(byte, b'<' | b'>' | b'&' | 0xe2);
    if json.iter().all(harmless) {
        return json;
    }
    let mut text = String::from_utf8(json).expect("JSON was written as text");
    for (character, escaped) in [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ] {
        if text.contains(character) {
            text = text.replace(character, escaped);
        }
    }
    text.into_bytes()
}

/// Cuts a stream of bytes into the JSON objects that follow each other in it.
#[derive(Debug, Default)]
pub struct Objects {
    waiting: Vec<u8>,
    /// So much of `waiting` has been looked at.
    seen: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// The stream goes on with something that is no object, or with one that is too long.
#[derive(Debug, PartialEq, Eq)]
pub struct NoObject;

impl Objects {
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// How many bytes wait to be part of an object.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What is left, be it JSON or not.
    pub fn into_rest(self) -> Vec<u8> {
        self.waiting
    }

    /// The next object that is complete, at most `max` bytes long; whether it is JSON inside is not looked at.
    pub fn next(&mut self, max: usize) -> Result<Option<Vec<u8>>, NoObject> {
        if self.depth == 0 {
            let blanks = self.waiting.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.waiting.drain(..blanks);
            match self.waiting.first() {
                None => return Ok(None),
                Some(b'{') => {}
                Some(_) => return Err(NoObject),
            }
        }
        while let Some(byte) = self.waiting.get(self.seen) {
            self.seen += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string => self.depth -= 1,
                _ => {}
            }
            if self.depth == 0 {
                let rest = self.waiting.split_off(self.seen);
                self.seen = 0;
                return Ok(Some(mem::replace(&mut self.waiting, rest)));
            }
        }
        if self.seen > max { Err(NoObject) } else { Ok(None) }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
