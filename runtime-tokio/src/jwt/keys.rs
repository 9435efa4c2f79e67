//! Keys, and what is done with them. Private ones are used with blinding where their arithmetic could tell of them.
use super::Method;
use ed25519_dalek as ed25519;
use getrandom::SysRng;
use hmac::Hmac;
use rsa::{
    pkcs1::{DecodeRsaPrivateKey as _, DecodeRsaPublicKey as _},
    pkcs8::{DecodePrivateKey as _, DecodePublicKey as _},
    rand_core::UnwrapErr,
    signature::{RandomizedSigner as _, SignatureEncoding as _, Signer as _, Verifier as _},
};
use sha2::{Sha256, Sha384, Sha512};

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;
type Verify = Box<dyn Fn(&[u8], &[u8]) -> bool + Send + Sync>;

pub struct Keys {
    sign: Option<Sign>,
    verify: Vec<Verify>,
}

/// etcd's words.
const MISSING: &str = "auth: missing key data";
const MISMATCH: &str = "auth: public and private keys don't match";
const TOO_SHORT: &str = "the RSA key is too short for this sign-method";

impl Keys {
    pub fn read(method: Method, public: Option<&[u8]>, private: Option<&[u8]>) -> Result<Keys, String> {
        match method {
            Method::Hs256 => hmac::<Hmac<Sha256>>(private),
            Method::Hs384 => hmac::<Hmac<Sha384>>(private),
            Method::Hs512 => hmac::<Hmac<Sha512>>(private),
            Method::Rs256 => rs::<Sha256>(public, private),
            Method::Rs384 => rs::<Sha384>(public, private),
            Method::Rs512 => rs::<Sha512>(public, private),
            Method::Ps256 => ps::<Sha256>(public, private),
            Method::Ps384 => ps::<Sha384>(public, private),
            Method::Ps512 => ps::<Sha512>(public, private),
            Method::Es256 => es256(public, private),
            Method::Es384 => es384(public, private),
            Method::Es512 => es512(public, private),
            Method::EdDsa => eddsa(public, private),
        }
    }

    /// Nothing if there is no private key.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.sign.as_ref().map(|sign| sign(message))
    }

    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verify.iter().any(|verify| verify(message, signature))
    }
}

/// What the two files hold: perhaps a private key, and every public key that may have signed.
struct Pair<Private, Public> {
    private: Option<Private>,
    public: Vec<Public>,
}

impl<Private, Public: PartialEq> Pair<Private, Public> {
    fn read(
        public: Option<&[u8]>,
        private: Option<&[u8]>,
        read_public: impl Fn(&str) -> Option<Public>,
        read_private: impl Fn(&str) -> Option<Private>,
        public_of: impl Fn(&Private) -> Public,
    ) -> Result<Pair<Private, Public>, String> {
        let private = match text(private)? {
            None => None,
            Some(pem) => Some(read_private(&pem).ok_or("the private key is none for this sign-method")?),
        };
        let mut publics = Vec::new();
        for block in text(public)?.iter().flat_map(|pem| blocks(pem)) {
            publics.push(read_public(&block).ok_or("a public key is none for this sign-method")?);
        }
        match private.as_ref().map(public_of) {
            Some(ours) if publics.is_empty() => publics.push(ours),
            Some(ours) if !publics.contains(&ours) => return Err(MISMATCH.to_string()),
            Some(_) => {}
            None if publics.is_empty() => return Err(MISSING.to_string()),
            None => {}
        }
        Ok(Pair { private, public: publics })
    }
}

/// A file that is empty counts as not given.
fn text(file: Option<&[u8]>) -> Result<Option<String>, String> {
    let Some(bytes) = file.filter(|bytes| !bytes.is_empty()) else { return Ok(None) };
    let text = std::str::from_utf8(bytes).map_err(|_| "a key file is not in PEM")?;
    Ok(Some(text.to_string()))
}

/// The PEM blocks of a file, one by one; the file itself if there is none.
fn blocks(pem: &str) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN ";
    let blocks: Vec<String> = pem.split(BEGIN).skip(1).map(|rest| format!("{BEGIN}{rest}")).collect();
    if blocks.is_empty() { vec![pem.to_string()] } else { blocks }
}

fn hmac<M>(private: Option<&[u8]>) -> Result<Keys, String>
where
    M: hmac::Mac + hmac::KeyInit + Clone + Send + Sync + 'static,
{
    let key = private.filter(|key| !key.is_empty()).ok_or(MISSING)?;
    let keyed = M::new_from_slice(key).map_err(|error| error.to_string())?;
    let over = |keyed: &M, message: &[u8]| keyed.clone().chain_update(message);
    let for_signing = keyed.clone();
    Ok(Keys {
        sign: Some(Box::new(move |message| over(&for_signing, message).finalize().into_bytes().to_vec())),
        // Compared in a time that tells nothing.
        verify: vec![Box::new(move |message, signature| {
            over(&keyed, message).verify_slice(signature).is_ok()
        })],
    })
}

type RsaPair = Pair<rsa::PrivateKey, rsa::PublicKey>;

fn rsa_pair(public: Option<&[u8]>, private: Option<&[u8]>) -> Result<RsaPair, String> {
    let read_public = |pem: &str| {
        let spki = rsa::PublicKey::from_public_key_pem(pem).ok();
        spki.or_else(|| rsa::PublicKey::from_pkcs1_pem(pem).ok())
    };
    let read_private = |pem: &str| {
        let pkcs8 = rsa::PrivateKey::from_pkcs8_pem(pem).ok();
        pkcs8.or_else(|| rsa::PrivateKey::from_pkcs1_pem(pem).ok())
    };
    Pair::read(public, private, read_public, read_private, rsa::PrivateKey::to_public_key)
}

macro_rules! rsa_family {
    ($name:ident, $module:ident, $verifying:ident) => {
        fn $name<D>(public: Option<&[u8]>, private: Option<&[u8]>) -> Result<Keys, String>
        where
            D: sha2::Digest
                + sha2::digest::FixedOutputReset
                + sha2::digest::const_oid::AssociatedOid
                + Send
                + Sync
                + 'static,
        {
            let Pair { private, public } = rsa_pair(public, private)?;
            let sign = |key| -> Result<Sign, String> {
                let key = rsa::$module::SigningKey::<D>::new(key);
                key.try_sign_with_rng(&mut UnwrapErr(SysRng), &[]).map_err(|_| TOO_SHORT)?;
                Ok(Box::new(move |message| key.sign_with_rng(&mut UnwrapErr(SysRng), message).to_vec()))
            };
            let verify = |key| -> Verify {
                let key = rsa::$module::VerifyingKey::<D>::$verifying(key);
                Box::new(move |message, signature| {
                    let signature = rsa::$module::Signature::try_from(signature);
                    signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
                })
            };
            let sign = private.map(sign).transpose()?;
            Ok(Keys { sign, verify: public.into_iter().map(verify).collect() })
        }
    };
}

rsa_family!(rs, pkcs1v15, new);
rsa_family!(ps, pss, new_with_auto_salt_len);

macro_rules! curve {
    ($name:ident, $curve:ident) => {
        fn $name(public: Option<&[u8]>, private: Option<&[u8]>) -> Result<Keys, String> {
            use $curve::ecdsa::{Signature, SigningKey, VerifyingKey};
            let Pair { private, public } = Pair::read(
                public,
                private,
                |pem| VerifyingKey::from_public_key_pem(pem).ok(),
                |pem| $curve::SecretKey::from_pem(pem).ok().map(SigningKey::from),
                |key| *key.verifying_key(),
            )?;
            let sign = |key: SigningKey| -> Sign {
                Box::new(move |message| {
                    let signature: Signature = key.sign(message);
                    signature.to_vec()
                })
            };
            let verify = |key: VerifyingKey| -> Verify {
                Box::new(move |message, signature| {
                    let signature = Signature::from_slice(signature);
                    signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
                })
            };
            Ok(Keys { sign: private.map(sign), verify: public.into_iter().map(verify).collect() })
        }
    };
}

curve!(es256, p256);
curve!(es384, p384);
curve!(es512, p521);

fn eddsa(public: Option<&[u8]>, private: Option<&[u8]>) -> Result<Keys, String> {
    use ed25519::{Signature, SigningKey, VerifyingKey};
    let Pair { private, public } = Pair::read(
        public,
        private,
        |pem| ed25519::pkcs8::spki::DecodePublicKey::from_public_key_pem(pem).ok(),
        |pem| ed25519::pkcs8::DecodePrivateKey::from_pkcs8_pem(pem).ok(),
        SigningKey::verifying_key,
    )?;
    let sign = |key: SigningKey| -> Sign { Box::new(move |message| key.sign(message).to_vec()) };
    let verify = |key: VerifyingKey| -> Verify {
        Box::new(move |message, signature| {
            let signature = Signature::from_slice(signature);
            signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
        })
    };
    Ok(Keys { sign: private.map(sign), verify: public.into_iter().map(verify).collect() })
}
