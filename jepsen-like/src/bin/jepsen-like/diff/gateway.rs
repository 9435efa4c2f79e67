//! The same calls as JSON over HTTP. An answer has to be what the mapping of protobuf to JSON makes of its message, and
//! then its message is compared like any other.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use super::answer::Answer;
use super::duel::{Duel, Outcome, Side};
use super::plan::{Caller, route};
use super::wire::{Metadata, PATIENCE, hangs};

/// Told by a server that does not know the path.
const NO_SUCH_PATH: u16 = 404;

/// What came back over HTTP.
struct Reply {
    status: u16,
    body: Bytes,
}

impl Duel<'_> {
    /// One call through the gateway. The second server is not asked if the first has no gateway.
    pub async fn ask_gateway(
        &mut self,
        caller: &Caller,
        path: &'static str,
        request: &Bytes,
    ) -> Option<Outcome> {
        let route = route(path)?;
        let kind = self.schema.method(path)?.output();
        let (message, _) = self.resolved(path, request);
        let body: Bytes = json(message.as_ref()?).ok()?.to_string().into();
        let ask = async |side: &Side| {
            let metadata = side.metadata(caller, path);
            let call = post(side.server.address(), route, &metadata, body.clone());
            match tokio::time::timeout(PATIENCE, call).await {
                Ok(Ok(reply)) => Ok(reply),
                Ok(Err(error)) => Err(Answer { status: (-1, error), ..Answer::empty() }),
                Err(_) => Err(Answer::failed(&hangs())),
            }
        };
        let first = ask(&self.sides[0]).await;
        if first.as_ref().is_ok_and(Reply::is_no_such_path) {
            return Some(Outcome::NotBuilt);
        }
        let second = ask(&self.sides[1]).await;
        let answers =
            [first, second].map(|reply| reply.map_or_else(|answer| answer, |reply| reply.answer(&kind)));
        if answers[0].is_not_built() {
            return Some(Outcome::NotBuilt);
        }
        self.learn(path, message.as_ref(), &answers);
        Some(self.judge(path, caller, message, answers))
    }
}

impl Reply {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A path that nobody serves; what etcd itself does not find, it tells with the same status.
    fn is_no_such_path(&self) -> bool {
        self.status == NO_SUCH_PATH && !self.text().contains("etcdserver:")
    }

    /// Reads it as the answer of a method.
    fn answer(&self, kind: &MessageDescriptor) -> Answer {
        let strange = |why: &str| Answer {
            status: (-1, format!("HTTP {}, {why}: {}", self.status, self.text())),
            ..Answer::empty()
        };
        let Ok(value) = serde_json::from_slice::<Value>(&self.body) else { return strange("no JSON") };
        let http = Some(self.status);
        if self.status != 200 {
            // etcd 3.5 tells the text a second time, as `error`.
            let code = value.get("code").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
            let text = value.get("message").and_then(Value::as_str);
            let (Some(code), Some(text)) = (code, text) else { return strange("no error that it should be") };
            return Answer { status: (code, text.to_owned()), http, ..Answer::empty() };
        }
        match DynamicMessage::deserialize(kind.clone(), value.clone()) {
            Ok(message) if json(&message).is_ok_and(|again| again == value) => {
                Answer { messages: vec![message], http, ..Answer::empty() }
            }
            Ok(_) => strange("not as protobuf is written in JSON"),
            Err(error) => strange(&error.to_string()),
        }
    }
}

/// A message as etcd's gateway writes it: names as in the .proto files, no defaults, long numbers as strings.
fn json(message: &DynamicMessage) -> Result<Value, serde_json::Error> {
    let options = SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(serde_json::value::Serializer, &options)
}

async fn post(address: &str, route: &str, metadata: &Metadata, body: Bytes) -> Result<Reply, String> {
    let words = |error: &dyn std::fmt::Display| format!("over HTTP: {error}");
    let socket = tokio::net::TcpStream::connect(address).await.map_err(|error| words(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(socket)).await.map_err(|error| words(&error))?;
    let driving = tokio::spawn(connection);
    let mut request = hyper::Request::post(route).header("host", address);
    for (key, value) in metadata {
        request = request.header(format!("grpc-metadata-{key}"), value);
    }
    let request = request.body(Full::new(body)).map_err(|error| words(&error))?;
    let response = sender.send_request(request).await.map_err(|error| words(&error))?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|error| words(&error))?.to_bytes();
    // The connection ends with its sender; whatever it still has to say is not awaited.
    driving.abort();
    Ok(Reply { status, body })
}
