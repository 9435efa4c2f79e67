//! The gateway over a websocket, for browsers, which cannot stream requests otherwise: each frame in is a JSON object of
//! the request, each line of the answer is a frame out. Source: contract-api 7.7.
use super::answer;
use crate::{grpc::Services, http::answer as page, runtime};
use bytes::{Bytes, BytesMut};
use detcd_driver::Level;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    net::IpAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, handshake::derive_accept_key, protocol::Role},
};
use tonic::body::Body;

/// Frames that wait to be read by the call.
const WAITING_MAX: usize = 16;

/// The sub-protocol behind which a browser can hide a token.
const BEARER: &str = "Bearer";

/// Whether the request asks for a websocket.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let names = |name, token: &str| {
        let values = headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
    };
    names(header::CONNECTION, "upgrade") && names(header::UPGRADE, "websocket")
}

/// Agrees, and carries the call out on the connection that is left when HTTP is done with it.
pub fn open(
    services: &Services,
    caller: Option<IpAddr>,
    path: String,
    request: Request<Incoming>,
) -> Response<Body> {
    let headers = request.headers();
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| version && request.method() == Method::GET);
    let Some(key) = key else {
        return page::text(StatusCode::BAD_REQUEST, "Bad Request").map(Body::new);
    };
    let accept =
        HeaderValue::try_from(derive_accept_key(key.as_bytes())).expect("base64 is fit for a header");
    let mut agreed = Response::new(Body::empty());
    *agreed.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let told = agreed.headers_mut();
    told.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    told.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    told.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if protocol_token(headers).is_some() {
        told.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(BEARER));
    }
    let services = services.clone();
    let asked = inner_headers(headers);
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(connection) => {
                let socket =
                    WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Server, None).await;
                carry(&services, caller, &path, asked, socket).await;
            }
            Err(error) => runtime::log(Level::Warn, format_args!("no websocket after all: {error}")),
        }
    });
    agreed
}

/// `Bearer, <token>`.
fn protocol_token(headers: &HeaderMap) -> Option<&str> {
    let protocol = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    Some(protocol.strip_prefix(BEARER)?.strip_prefix(',')?.trim())
}

fn cookie_token(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|cookie| cookie.trim().strip_prefix("token="))
}

/// What of the headers is for the call.
fn inner_headers(headers: &HeaderMap) -> HeaderMap {
    let mut inner = HeaderMap::new();
    for name in [header::HOST, header::ORIGIN, header::REFERER] {
        if let Some(value) = headers.get(&name) {
            inner.insert(name, value.clone());
        }
    }
    if let Some(token) = protocol_token(headers).or_else(|| cookie_token(headers))
        && let Ok(value) = HeaderValue::try_from(format!("{BEARER} {token}"))
    {
        inner.insert(header::AUTHORIZATION, value);
    }
    inner
}

async fn carry<S>(
    services: &Services,
    caller: Option<IpAddr>,
    path: &str,
    headers: HeaderMap,
    socket: WebSocketStream<S>,
) where
    WebSocketStream<S>: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error>,
{
    let (mut replies, requests) = socket.split();
    let (objects, body) = mpsc::channel(WAITING_MAX);
    let mut request = Request::new(Frames(body));
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers;
    let call = async {
        let response = answer(services, caller, path, request).await;
        // An error here means that nobody reads any more.
        send(response.into_body(), &mut replies).await.ok();
        replies.close().await.ok();
    };
    tokio::select! {
        () = call => {}
        // A client that is gone wants no answer.
        () = hear(requests, objects) => {}
    }
}

/// Hands on what comes in until the client goes away.
async fn hear(requests: impl Stream<Item = Result<Message, Error>>, objects: mpsc::Sender<Bytes>) {
    let mut requests = pin!(requests);
    while let Some(Ok(message)) = requests.next().await {
        if message.is_close() {
            return;
        }
        if message.is_text() || message.is_binary() {
            // A call that takes no more has its answer already, or will have it.
            objects.send(message.into_data()).await.ok();
        }
    }
}

/// Every line of the body as a frame.
async fn send(
    mut body: Body,
    replies: &mut (impl Sink<Message, Error = Error> + Unpin),
) -> Result<(), Error> {
    let mut waiting = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        waiting.extend_from_slice(&data);
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            line(&waiting.split_to(end + 1), replies).await?;
        }
    }
    line(&waiting, replies).await
}

async fn line(line: &[u8], replies: &mut (impl Sink<Message, Error = Error> + Unpin)) -> Result<(), Error> {
    let text = String::from_utf8_lossy(line.trim_ascii());
    if text.is_empty() { Ok(()) } else { replies.send(Message::text(text.into_owned())).await }
}

/// What came in, as the body of a request.
struct Frames(mpsc::Receiver<Bytes>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|frame| frame.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_websocket_is_asked_for_by_two_headers() {
        assert!(is_wanted(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")])));
        assert!(!is_wanted(&headers(&[("connection", "keep-alive"), ("upgrade", "websocket")])));
        assert!(!is_wanted(&headers(&[("connection", "upgrade"), ("upgrade", "h2c")])));
    }

    #[test]
    fn a_token_hides_in_the_protocol_or_in_a_cookie() {
        let token = |pairs| {
            let inner = inner_headers(&headers(pairs));
            inner.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_string())
        };
        assert_eq!(token(&[("sec-websocket-protocol", "Bearer, abc")]).as_deref(), Some("Bearer abc"));
        assert_eq!(token(&[("cookie", "a=b; token=abc")]).as_deref(), Some("Bearer abc"));
        assert_eq!(token(&[("sec-websocket-protocol", "chat"), ("authorization", "x")]), None);
    }
}
