//! URLs by which members are reached, as etcd takes them. Source: contract-semantics 12.1, contract-cli 4.
use core::fmt;

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadUrl {
    Scheme,
    HostPort,
    Path,
}

/// etcd's words, behind which the URL follows.
impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadUrl::Scheme => "URL scheme must be http, https, unix, or unixs",
            BadUrl::HostPort => "URL address does not have the form \"host:port\"",
            BadUrl::Path => "URL must not contain a path",
        })
    }
}

/// Whether a URL can be a member's. One with a host has a port and no path, not even `/`.
pub fn check(url: &str) -> Result<(), BadUrl> {
    let (scheme, rest) = url.split_once(':').ok_or(BadUrl::Scheme)?;
    match scheme.to_ascii_lowercase().as_str() {
        "unix" | "unixs" => return Ok(()),
        "http" | "https" => {}
        _ => return Err(BadUrl::Scheme),
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let Some(rest) = rest.strip_prefix("//") else { return Err(BadUrl::HostPort) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if !has_port(host) {
        return Err(BadUrl::HostPort);
    }
    if path.is_empty() { Ok(()) } else { Err(BadUrl::Path) }
}

fn has_port(host: &str) -> bool {
    let Some((name, port)) = host.rsplit_once(':') else { return false };
    let is_name = match name.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|address| !address.contains(['[', ']'])),
        None => !name.contains([':', '[', ']']),
    };
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    is_name && name.chars().all(plain) && port.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_as_etcd_takes_them() {
        for good in [
            "http://a:1",
            "https://[::1]:2380",
            "HTTP://a:1",
            "http://:1",
            "http://a:1?x",
            "unix://m",
            "unixs:m:1",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", BadUrl::Scheme),
            ("a:1", BadUrl::Scheme),
            ("ftp://a:1", BadUrl::Scheme),
            ("http://a", BadUrl::HostPort),
            ("http:a:1", BadUrl::HostPort),
            ("http://a:x", BadUrl::HostPort),
            ("http://a b:1", BadUrl::HostPort),
            ("http://::1:2", BadUrl::HostPort),
            ("http://a:1/", BadUrl::Path),
            ("http://a:1/path", BadUrl::Path),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
    }
}
