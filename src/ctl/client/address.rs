//! What may stand in `--endpoints`: `host:port`, `http://host:port`, `unix:path`, `unix:///path`.

use tonic::transport::Endpoint;

use crate::ctl::exit::Exit;

/// An endpoint that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// In the form tonic takes.
    uri: String,
}

impl Address {
    /// Reads one endpoint. TLS endpoints are refused until TLS is there.
    pub fn parse(text: &str) -> Result<Address, Exit> {
        let tls = |scheme: &str| Exit::not_built("etcdctl", &format!("TLS ({scheme} endpoint {text})"));
        let uri = match text.split_once("://") {
            Some(("https", _)) => return Err(tls("https")),
            Some(("unixs", _)) => return Err(tls("unixs")),
            Some(("unix", path)) => format!("unix:{path}"),
            // A path behind the host means nothing to gRPC; Go's client drops it too.
            Some(("http", rest)) => format!("http://{}", rest.split('/').next().unwrap_or(rest)),
            Some(_) => return Err(Exit::error(format!("endpoint {text} has a scheme nobody serves"))),
            None if text.starts_with("unixs:") => return Err(tls("unixs")),
            None if text.starts_with("unix:") => text.to_owned(),
            None => format!("http://{text}"),
        };
        let address = Address { uri };
        match address.endpoint() {
            Ok(_) => Ok(address),
            Err(error) => Err(Exit::error(format!("endpoint {text} is no address: {error}"))),
        }
    }

    /// A tonic endpoint without any tuning.
    pub fn endpoint(&self) -> Result<Endpoint, tonic::transport::Error> {
        Endpoint::from_shared(self.uri.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, uri: &str) {
        assert_eq!(Address::parse(text), Ok(Address { uri: uri.to_owned() }), "{text}");
    }

    #[test]
    fn plain_endpoints() {
        check("127.0.0.1:2379", "http://127.0.0.1:2379");
        check("localhost:2379", "http://localhost:2379");
        check("[::1]:2379", "http://[::1]:2379");
        check("http://10.0.0.1:2379", "http://10.0.0.1:2379");
        check("http://10.0.0.1:2379/v3", "http://10.0.0.1:2379");
        check("unix:///run/etcd.sock", "unix:/run/etcd.sock");
        check("unix://local.sock", "unix:local.sock");
        check("unix:local.sock", "unix:local.sock");
    }

    #[test]
    fn endpoints_nobody_can_dial() {
        for text in ["", "ftp://host", "http://", "two words"] {
            assert_eq!(Address::parse(text).unwrap_err().code, 1, "{text}");
        }
        for text in ["https://127.0.0.1:2379", "unixs://sock", "unixs:sock"] {
            let message = Address::parse(text).unwrap_err().message.unwrap();
            assert!(message.contains("is not built yet"), "{message}");
        }
    }
}
