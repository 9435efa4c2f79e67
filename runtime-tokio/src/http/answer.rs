//! HTTP answers in the exact form that Go's server gives them: clients and tests compare bodies.
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

pub type Answer = Response<Full<Bytes>>;

/// An error: one line of plain text.
pub fn text(status: StatusCode, line: &str) -> Answer {
    plain(status, format!("{line}\n"))
}

/// Plain text as it stands.
pub fn plain(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

pub fn json(body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our own structures of text and numbers have a JSON form")
}

pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

pub fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "404 page not found")
}

pub fn method_not_allowed(allow: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    answer
}
