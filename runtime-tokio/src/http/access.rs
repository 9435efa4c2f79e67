//! Who may ask over HTTP: host names that this member goes by, and pages of other origins that may read the answers.
//! Source: contract-semantics 20.
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// `--cors` and `--host-whitelist`; `*` among them means all.
#[derive(Clone, Debug)]
pub struct Access {
    pub origins: Vec<String>,
    pub hosts: Vec<String>,
}

fn lists(list: &[String], name: &str) -> bool {
    list.is_empty() || list.iter().any(|known| known == "*" || known == name)
}

impl Access {
    /// The host by which this member was asked, if it does not go by it: somebody may have had a name point here to
    /// make a browser ask.
    pub fn stranger(&self, headers: &HeaderMap) -> Option<String> {
        let host = headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
        let host = host.as_deref().unwrap_or_default();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        (!lists(&self.hosts, name)).then(|| name.to_string())
    }

    /// Tells a browser what other origins may ask.
    pub fn tell(&self, asked: &HeaderMap, answered: &mut HeaderMap) {
        let everybody = HeaderValue::from_static("*");
        let origin = match asked.get(header::ORIGIN) {
            _ if lists(&self.origins, "*") => everybody,
            Some(origin) if origin.to_str().is_ok_and(|origin| lists(&self.origins, origin)) => {
                origin.clone()
            }
            _ => return,
        };
        const ALLOWED: [(HeaderName, HeaderValue); 2] = [
            (
                header::ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE"),
            ),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static("accept, content-type, authorization"),
            ),
        ];
        answered.extend(ALLOWED);
        answered.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(origins: &[&str], hosts: &[&str]) -> Access {
        let list = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        Access { origins: list(origins), hosts: list(hosts) }
    }

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_host_is_known_by_its_name_without_the_port() {
        let some = access(&["*"], &["a", "127.0.0.1", "[::1]"]);
        for known in ["a", "a:2379", "127.0.0.1:1", "[::1]:2379"] {
            assert_eq!(some.stranger(&headers(header::HOST, known)), None, "{known}");
        }
        assert_eq!(some.stranger(&headers(header::HOST, "b:2379")), Some("b".to_string()));
        assert_eq!(some.stranger(&HeaderMap::new()), Some(String::new()));
        assert_eq!(access(&["*"], &["*"]).stranger(&HeaderMap::new()), None);
    }

    #[test]
    fn origins_are_told_that_they_may() {
        let told = |access: Access, origin: &'static str| {
            let mut answered = HeaderMap::new();
            access.tell(&headers(header::ORIGIN, origin), &mut answered);
            answered
                .get(header::ACCESS_CONTROL_ALLOW_ORIGIN)
                .map(|origin| origin.to_str().unwrap().to_string())
        };
        assert_eq!(told(access(&["*"], &[]), "http://x").as_deref(), Some("*"));
        assert_eq!(told(access(&["http://x"], &[]), "http://x").as_deref(), Some("http://x"));
        assert_eq!(told(access(&["http://x"], &[]), "http://y"), None);
    }
}
