//! One HTTP/1.1 connection to a peer.
use super::headers::Identity;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use std::{fmt, io, time::Duration};
use tokio::{net::TcpStream, task::AbortHandle, time::timeout};

#[derive(Debug)]
pub enum Trouble {
    /// The address cannot be dialled at all.
    Url(String),
    Io(io::Error),
    Http(hyper::Error),
    Slow,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Url(url) => write!(f, "{url} is no address of a peer"),
            Trouble::Io(error) => write!(f, "{error}"),
            Trouble::Http(error) => write!(f, "{error}"),
            Trouble::Slow => write!(f, "no answer in time"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

impl From<hyper::Error> for Trouble {
    fn from(error: hyper::Error) -> Trouble {
        Trouble::Http(error)
    }
}

/// Closed when dropped, whatever is still on its way.
pub struct Connection {
    requests: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    carrier: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// Connects to `http://host:port`; also what to call it there.
pub async fn dial(url: &str, patience: Duration) -> Result<(TcpStream, HeaderValue), Trouble> {
    let bad = || Trouble::Url(url.to_string());
    let authority = url.strip_prefix("http://").ok_or_else(bad)?;
    let authority = authority.split('/').next().unwrap_or(authority);
    let host = HeaderValue::try_from(authority).map_err(|_| bad())?;
    let stream = timeout(patience, TcpStream::connect(authority)).await.map_err(|_| Trouble::Slow)??;
    stream.set_nodelay(true)?;
    Ok((stream, host))
}

impl Connection {
    /// Dials `http://host:port`.
    pub async fn open(url: &str, patience: Duration) -> Result<Connection, Trouble> {
        let (stream, host) = dial(url, patience).await?;
        let (requests, carrier) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end is seen by whoever waits for an answer.
        let carrier = tokio::spawn(async move { carrier.await.ok() }).abort_handle();
        Ok(Connection { requests, host, carrier })
    }

    /// Whether another request can be sent.
    pub async fn is_usable(&mut self) -> bool {
        self.requests.ready().await.is_ok()
    }

    pub async fn ask(
        &mut self,
        us: &Identity,
        method: Method,
        path: &str,
        extra: &[(header::HeaderName, HeaderValue)],
        body: Bytes,
        patience: Duration,
    ) -> Result<Response<Incoming>, Trouble> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| Trouble::Url(path.to_string()))?;
        *request.headers_mut() = us.headers();
        request.headers_mut().insert(header::HOST, self.host.clone());
        for (name, value) in extra {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        Ok(timeout(patience, self.requests.send_request(request)).await.map_err(|_| Trouble::Slow)??)
    }
}
