//! How callers prove who they are: `--auth-token`, `--auth-token-ttl`, `--bcrypt-cost`. Source: contract-cli 2.4,
//! contract-semantics 11.4.
use super::Settings;
use crate::ctl::go;
use detcd_core::Span;
use detcd_driver::{Authentication, Tokens};
use detcd_runtime_tokio::jwt::{Jwt, Method};
use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

/// etcd's for all that is wrong with the options of a token.
const INVALID: &str = "auth: invalid auth options";
/// What bcrypt can do, and what is taken for anything else.
const COSTS: std::ops::RangeInclusive<u64> = 4..=31;
const COST_DEFAULT: u32 = 10;
const TTL_SECS_DEFAULT: u64 = 300;
const JWT_TTL_DEFAULT: Duration = Duration::from_secs(300);
const JWT_OPTIONS: [&str; 4] = ["sign-method", "pub-key", "priv-key", "ttl"];

impl Settings {
    /// Reads the key files. Errors are etcd's.
    pub fn authentication(&self) -> Result<Authentication, String> {
        let (kind, options) = split(&self.auth_token)?;
        let tokens = match kind {
            "" => Tokens::None,
            "simple" => {
                tracing::warn!("simple token is not cryptographically signed");
                let ttl = if self.auth_token_ttl == 0 { TTL_SECS_DEFAULT } else { self.auth_token_ttl };
                Tokens::Simple { ttl: Span::secs(ttl) }
            }
            "jwt" => Tokens::Signed(Arc::new(jwt(&options)?)),
            unknown => {
                tracing::warn!(r#type = unknown, error = INVALID, "unknown token type");
                return Err(INVALID.to_string());
            }
        };
        Ok(Authentication { tokens, bcrypt_cost: self.bcrypt_cost() })
    }

    fn bcrypt_cost(&self) -> u32 {
        match u32::try_from(self.bcrypt_cost) {
            Ok(cost) if COSTS.contains(&self.bcrypt_cost) => cost,
            _ => {
                tracing::warn!(
                    "min-cost" = COSTS.start(),
                    "max-cost" = COSTS.end(),
                    "default-cost" = COST_DEFAULT,
                    "given-cost" = self.bcrypt_cost,
                    "use default bcrypt cost instead of the invalid given cost"
                );
                COST_DEFAULT
            }
        }
    }
}

/// `pub-key` and `priv-key` name files; `sign-method` must be there.
fn jwt(options: &BTreeMap<&str, &str>) -> Result<Jwt, String> {
    let invalid = |error: String| {
        tracing::error!(error, "problem loading JWT options");
        INVALID.to_string()
    };
    let given = |name: &str| options.get(name).copied().filter(|value| !value.is_empty());
    let ttl = given("ttl").map_or(Ok(JWT_TTL_DEFAULT), go::parse_duration).map_err(invalid)?;
    let file = |name: &str| {
        let path = given(name);
        let content =
            path.map(|path| fs::read(path).map_err(|error| invalid(format!("open {path}: {error}"))));
        content.transpose()
    };
    let (public, private) = (file("pub-key")?, file("priv-key")?);
    let method = given("sign-method").and_then(Method::named);
    let method = method.ok_or_else(|| invalid("auth: invalid auth signature method".to_string()))?;
    let unknown: Vec<&str> = options.keys().filter(|name| !JWT_OPTIONS.contains(name)).copied().collect();
    if !unknown.is_empty() {
        tracing::warn!(keys = ?unknown, "unknown JWT options");
    }
    Jwt::new(method, public.as_deref(), private.as_deref(), ttl)
}

/// The kind of token, and `name=value` pairs behind it with commas between.
fn split(text: &str) -> Result<(&str, BTreeMap<&str, &str>), String> {
    let mut parts = text.split(',');
    let kind = parts.next().unwrap_or_default();
    let mut options = BTreeMap::new();
    for part in parts {
        let pair = part.split_once('=').filter(|(_, value)| !value.contains('='));
        if pair.is_none_or(|(name, value)| options.insert(name, value).is_some()) {
            tracing::error!(option = text, "invalid token option");
            return Err(INVALID.to_string());
        }
    }
    Ok((kind, options))
}
