//! How callers prove who they are: `--auth-token`, `--auth-token-ttl`, `--bcrypt-cost`. Source: contract-cli 2.4,
//! contract-semantics 11.4.
use super::Settings;
use detcd_core::Span;
use detcd_driver::{Authentication, Tokens};
use std::collections::BTreeMap;

/// etcd's for all that is wrong with the options of a token.
const INVALID: &str = "auth: invalid auth options";
/// What bcrypt can do, and what is taken for anything else.
const COSTS: std::ops::RangeInclusive<u64> = 4..=31;
const COST_DEFAULT: u32 = 10;
const TTL_SECS_DEFAULT: u64 = 300;

impl Settings {
    /// Reads the key files. Errors are etcd's.
    pub fn authentication(&self) -> Result<Authentication, String> {
        let (kind, _) = split(&self.auth_token)?;
        let tokens = match kind {
            "" => Tokens::None,
            "simple" => {
                tracing::warn!("simple token is not cryptographically signed");
                let ttl = if self.auth_token_ttl == 0 { TTL_SECS_DEFAULT } else { self.auth_token_ttl };
                Tokens::Simple { ttl: Span::secs(ttl) }
            }
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
