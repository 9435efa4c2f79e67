//! The JSON gateway: every call of the client API as a POST. Nothing here knows a call by itself: paths come from a
//! table, messages from their descriptors, and the call goes to the services that the gRPC port has.
//! Source: contract-api 7.
mod call;
mod json;
mod metadata;
mod routes;
pub mod socket;
mod streams;

use crate::grpc::{Services, api};
use bytes::Bytes;
use call::Replies;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use json::{NoObject, Objects};
use prost_reflect::MethodDescriptor;
use serde::Serialize;
use std::{borrow::Cow, error::Error, net::IpAddr};
use streams::{Lines, Requests};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};

/// Everything below belongs to the gateway.
const ROOT: &str = "/v3/";
const OLD_ROOT: &str = "/v3beta/";

/// JSON may be so much longer than the message it stands for: every byte of a name or a value as an escape, in base64.
const JSON_EXPANSION: usize = 8;

const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// What the inner call's headers said; a call that fails at once has none.
const INNER_TYPE: (HeaderName, HeaderValue) =
    (HeaderName::from_static("grpc-metadata-content-type"), HeaderValue::from_static("application/grpc"));

/// The path of a call, if the gateway is asked for one.
pub fn path(uri_path: &str) -> Option<String> {
    let path = unescaped(uri_path);
    match path.strip_prefix(OLD_ROOT) {
        Some(rest) => Some(format!("{ROOT}{rest}")),
        None => path.starts_with(ROOT).then(|| path.into_owned()),
    }
}

/// The path with every `%` and its two digits as the byte they stand for; as it is if that makes no text.
fn unescaped(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits =
            [rest.next(), rest.next()].map(|digit| char::from(digit.unwrap_or_default()).to_digit(16));
        let [Some(high), Some(low)] = digits else { return Cow::Borrowed(path) };
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(path), Cow::Owned)
}

/// Where a request's JSON comes from.
pub trait RequestBody:
    hyper::body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static
{
}

impl<B> RequestBody for B where
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static
{
}

/// Answers a request for a path that [`path`] has found.
pub async fn answer<B: RequestBody>(
    services: &Services,
    caller: Option<IpAddr>,
    path: &str,
    request: Request<B>,
) -> Response<Body> {
    let found = routes::ROUTES.iter().find(|(known, ..)| *known == path);
    let method = found.and_then(|(_, service, method)| api::method(service, method));
    let Some(method) = method else {
        return error(&Status::not_found("Not Found"));
    };
    if !is_post(&request) {
        return error(&Status::unimplemented("Method Not Allowed"));
    }
    match carry_out(services, caller, &method, request).await {
        Ok(response) => response,
        Err(status) => error(&status),
    }
}

/// A form can ask to be taken for another method, and then is not taken.
fn is_post<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let form = || {
        let kind = headers.get(header::CONTENT_TYPE);
        kind.is_some_and(|kind| kind == "application/x-www-form-urlencoded")
    };
    let other = || headers.get(OVERRIDE).is_some_and(|method| !method.is_empty() && method != "POST");
    request.method() == Method::POST && !(form() && other())
}

/// An error is one that comes before anything of a stream is sent.
async fn carry_out<B: RequestBody>(
    services: &Services,
    caller: Option<IpAddr>,
    method: &MethodDescriptor,
    request: Request<B>,
) -> Result<Response<Body>, Status> {
    let (head, body) = request.into_parts();
    let metadata = metadata::of(&head.headers, caller);
    let deadline = metadata::timeout(&head.headers)?.map(|timeout| Instant::now() + timeout);
    let json_max = services.request_bytes_max().saturating_mul(JSON_EXPANSION);
    let replies = if method.is_client_streaming() {
        let requests = Requests::new(body, method.input(), json_max);
        call::call(services, method, metadata, requests, deadline).await
    } else {
        let body = first(body, json_max).await?;
        let message = match body.iter().all(u8::is_ascii_whitespace) {
            true => Bytes::new(),
            false => json::to_wire(&method.input(), &body).map_err(Status::invalid_argument)?,
        };
        let frame = Full::new(call::frame(&message));
        call::call(services, method, metadata, frame, deadline).await
    };
    if method.is_server_streaming() {
        return Ok(stream(method, replies).await);
    }
    let mut replies = replies?;
    let message = match replies.next().await {
        Some(message) => message?,
        None => return Err(Status::internal("the call ended without an answer")),
    };
    // The end of the call says whether the message counts.
    replies.next().await.transpose()?;
    let json = json::from_wire(&method.output(), message).map_err(Status::internal)?;
    Ok(with_inner_type(typed(StatusCode::OK, Body::new(Full::from(json)))))
}

/// The first JSON object of a body, or what there is if it is none: what follows is never waited for.
async fn first<B: RequestBody>(mut body: B, max: usize) -> Result<Vec<u8>, Status> {
    let mut objects = Objects::default();
    loop {
        match objects.next(max) {
            Ok(Some(object)) => return Ok(object),
            Ok(None) => {}
            Err(NoObject) if objects.waiting() > max => {
                return Err(Status::resource_exhausted("http: request body too large"));
            }
            Err(NoObject) => return Ok(objects.into_rest()),
        }
        match body.frame().await {
            None => return Ok(objects.into_rest()),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    objects.push(data);
                }
            }
            Some(Err(error)) => return Err(Status::invalid_argument(error.into().to_string())),
        }
    }
}

/// Nothing is sent, not even the status, before there is a message or an error.
async fn stream(method: &MethodDescriptor, replies: Result<Replies, Status>) -> Response<Body> {
    let first = match replies {
        Ok(mut replies) => match replies.next().await {
            None => return Response::new(Body::empty()),
            Some(first) => first.map(|first| (first, replies)),
        },
        Err(status) => Err(status),
    };
    match first {
        Ok((first, replies)) => {
            with_inner_type(typed(StatusCode::OK, Body::new(Lines::new(method.output(), first, replies))))
        }
        Err(status) => {
            let line = streams::error_line(&status);
            typed(http_status(status.code()), Body::new(Full::new(line)))
        }
    }
}

/// How an error looks in JSON.
#[derive(Serialize)]
struct ErrorJson<'a> {
    code: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

impl ErrorJson<'_> {
    fn new(status: &Status) -> ErrorJson<'_> {
        ErrorJson { code: status.code() as i32, message: status.message() }
    }
}

fn error(status: &Status) -> Response<Body> {
    let json = super::answer::to_json(&ErrorJson::new(status));
    let mut response = typed(http_status(status.code()), Body::new(Full::from(json)));
    if status.code() == Code::Unauthenticated
        && let Ok(message) = HeaderValue::try_from(status.message())
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, message);
    }
    response
}

fn typed(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn with_inner_type(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().extend([INNER_TYPE]);
    response
}

/// Source: contract-api 7.4.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled => StatusCode::from_u16(499).expect("three digits"),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn old_and_escaped_paths_lead_to_the_same_calls() {
        for (asked, path) in [
            ("/v3/kv/range", Some("/v3/kv/range")),
            ("/v3beta/kv/range", Some("/v3/kv/range")),
            ("/v3/kv/r%61n%67e", Some("/v3/kv/range")),
            ("/v3/kv/%", Some("/v3/kv/%")),
            ("/v3/%ff", Some("/v3/%ff")),
            ("/v3/%4", Some("/v3/%4")),
            ("/v3alpha/kv/range", None),
            ("/v3", None),
        ] {
            assert_eq!(super::path(asked).as_deref(), path, "{asked}");
        }
    }
}
