//! Tokens that carry their own proof: JSON Web Tokens with etcd's claims `username`, `revision` and `exp`.
//! Source: contract-semantics 11.4, RFC 7515, 7518, 8037.
mod keys;
#[cfg(test)]
mod tests;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use detcd_core::{Refusal, auth::Principal};
use detcd_driver::Signer;
use keys::Keys;
use serde_json::{Value, json};
use std::time::Duration;

/// What a token is made of: the method that both sides agreed on, keys for it, and how long a token lives.
pub struct Jwt {
    method: Method,
    keys: Keys,
    ttl: Duration,
}

/// Methods to sign with, by their names in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

impl Method {
    const ALL: [(Method, &'static str); 13] = [
        (Method::Hs256, "HS256"),
        (Method::Hs384, "HS384"),
        (Method::Hs512, "HS512"),
        (Method::Rs256, "RS256"),
        (Method::Rs384, "RS384"),
        (Method::Rs512, "RS512"),
        (Method::Ps256, "PS256"),
        (Method::Ps384, "PS384"),
        (Method::Ps512, "PS512"),
        (Method::Es256, "ES256"),
        (Method::Es384, "ES384"),
        (Method::Es512, "ES512"),
        (Method::EdDsa, "EdDSA"),
    ];

    pub fn named(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find_map(|(method, its_name)| (its_name == name).then_some(method))
    }

    fn name(self) -> &'static str {
        let found = Method::ALL.into_iter().find(|(method, _)| *method == self);
        found.map(|(_, name)| name).expect("all methods are listed")
    }
}

impl Jwt {
    /// Keys are PEM files' contents, or any bytes for `HS…`, where the private one is all there is. With public keys
    /// alone tokens can be checked and not made. A file may hold several public keys, say while they are exchanged:
    /// each may have signed. The error is for the operator.
    pub fn new(
        method: Method,
        public: Option<&[u8]>,
        private: Option<&[u8]>,
        ttl: Duration,
    ) -> Result<Jwt, String> {
        Ok(Jwt { method, keys: Keys::read(method, public, private)?, ttl })
    }

    fn claims(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.').filter(|(_, payload)| !payload.contains('.'))?;
        let read = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        // The method is this member's to name: a token that chooses its own could choose a weak one.
        if read(header)?.get("alg")?.as_str()? != self.method.name() {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !self.keys.verify(signed.as_bytes(), &signature) {
            return None;
        }
        read(payload)
    }
}

impl Signer for Jwt {
    fn sign(&self, who: &Principal, now_secs: u64) -> Result<String, Refusal> {
        let header = json!({ "alg": self.method.name(), "typ": "JWT" });
        let exp = now_secs.saturating_add(self.ttl.as_secs());
        let claims = json!({ "exp": exp, "revision": who.revision, "username": who.name });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.keys.sign(signed.as_bytes()).ok_or(Refusal::VerifyOnly)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn verify(&self, token: &str, now_secs: u64) -> Option<Principal> {
        let claims = self.claims(token)?;
        // Times may have a fraction; one that is not given sets no limit, one that is no number is nonsense.
        let time = |name: &str| claims.get(name).map_or(Some(None), |time| time.as_f64().map(Some));
        let now = now_secs as f64;
        let (end, begin) = (time("exp")?, time("nbf")?);
        if end.is_some_and(|end| end <= now) || begin.is_some_and(|begin| begin > now) {
            return None;
        }
        let name = claims.get("username")?.as_str()?.to_string();
        let revision = claims.get("revision")?.as_f64()? as u64;
        Some(Principal { name, revision })
    }
}
