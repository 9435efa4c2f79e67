use super::*;

macro_rules! file {
    ($name:literal) => {
        &include_bytes!(concat!("testdata/", $name))[..]
    };
}

const SECRET: &[u8] = b"a shared secret of some length";
const TTL: Duration = Duration::from_secs(300);
const NOW: u64 = 1_800_000_000;

/// Public and private key for a method.
fn keys(method: Method) -> (Option<&'static [u8]>, &'static [u8]) {
    match method {
        Method::Hs256 | Method::Hs384 | Method::Hs512 => (None, SECRET),
        Method::Rs256 | Method::Rs384 | Method::Rs512 => (Some(file!("rsa.pub.pem")), file!("rsa-pkcs1.pem")),
        Method::Ps256 | Method::Ps384 | Method::Ps512 => (Some(file!("rsa.pub.pem")), file!("rsa.pem")),
        Method::Es256 => (Some(file!("p256.pub.pem")), file!("p256.pem")),
        Method::Es384 => (Some(file!("p384.pub.pem")), file!("p384.pem")),
        Method::Es512 => (Some(file!("p521.pub.pem")), file!("p521.pem")),
        Method::EdDsa => (Some(file!("ed25519.pub.pem")), file!("ed25519.pem")),
    }
}

fn jwt(method: Method) -> Jwt {
    let (public, private) = keys(method);
    Jwt::new(method, public, Some(private), TTL).unwrap()
}

fn ann() -> Principal {
    Principal { name: "ann".to_string(), revision: 7 }
}

#[test]
fn a_token_is_good_for_whoever_it_names_until_it_ends() {
    for (method, name) in Method::ALL {
        let jwt = jwt(method);
        let token = jwt.sign(&ann(), NOW).unwrap();
        for (now, who) in [(NOW, Some(ann())), (NOW + 299, Some(ann())), (NOW + 300, None)] {
            assert_eq!(jwt.verify(&token, now), who, "{name} at {now}");
        }
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode(r#"{"exp":9999999999,"revision":7,"username":"root"}"#);
        for forged in [
            String::new(),
            signed.to_string(),
            format!("{signed}."),
            format!("{token}."),
            format!("{token}A"),
            format!("{header}.{other}.{signature}"),
            format!("{header}..{signature}"),
            format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), other),
        ] {
            assert_eq!(jwt.verify(&forged, NOW), None, "{name}: {forged}");
        }
    }
}

#[test]
fn a_token_does_not_choose_its_method() {
    for (method, _) in Method::ALL {
        let token = jwt(method).sign(&ann(), NOW).unwrap();
        for (other, _) in Method::ALL.into_iter().filter(|(other, _)| *other != method) {
            assert_eq!(jwt(other).verify(&token, NOW), None, "{method:?} as {other:?}");
        }
    }
    // The public key of one method as the secret of another.
    let public = file!("rsa.pub.pem");
    let forged = Jwt::new(Method::Hs256, None, Some(public), TTL).unwrap().sign(&ann(), NOW).unwrap();
    assert_eq!(jwt(Method::Rs256).verify(&forged, NOW), None);
}

#[test]
fn tokens_of_etcd_are_read() {
    let root = Principal { name: "root".to_string(), revision: 4 };
    let tokens = std::str::from_utf8(file!("etcd-3.5.1-tokens.txt")).unwrap();
    for line in tokens.lines() {
        let (method, token) = line.split_once(' ').unwrap();
        let jwt = jwt(Method::named(method).unwrap());
        assert_eq!(jwt.verify(token, NOW), Some(root.clone()), "{method}");
        let ours = jwt.sign(&root, 5_395_626_000).unwrap();
        let head = |token: &str| token.split_once('.').map(|(head, _)| head.to_string());
        assert_eq!(head(&ours), head(token), "the same header");
    }
    assert_eq!(tokens.lines().count(), 6);
}

#[test]
fn public_keys_alone_check_and_do_not_make() {
    for (method, name) in Method::ALL {
        let (public, private) = keys(method);
        let Some(public) = public else { continue };
        let token = jwt(method).sign(&ann(), NOW).unwrap();
        let checker = Jwt::new(method, Some(public), None, TTL).unwrap();
        assert_eq!(checker.verify(&token, NOW), Some(ann()), "{name}");
        assert_eq!(checker.sign(&ann(), NOW), Err(Refusal::VerifyOnly));
        assert!(Jwt::new(method, None, Some(private), TTL).is_ok(), "the private key says the public one");
    }
}

#[test]
fn each_public_key_of_a_file_may_have_signed() {
    let both = [file!("rsa-other.pub.pem"), file!("rsa.pub.pem")].concat();
    let checker = Jwt::new(Method::Rs256, Some(&both), None, TTL).unwrap();
    let token = jwt(Method::Rs256).sign(&ann(), NOW).unwrap();
    assert_eq!(checker.verify(&token, NOW), Some(ann()));
    assert!(Jwt::new(Method::Rs256, Some(&both), Some(file!("rsa.pem")), TTL).is_ok());
    let other = Jwt::new(Method::Rs256, Some(file!("rsa-other.pub.pem")), None, TTL).unwrap();
    assert_eq!(other.verify(&token, NOW), None);
}

#[test]
fn keys_that_do_not_fit_are_told() {
    let why = |method, public, private| Jwt::new(method, public, private, TTL).map(|_| ()).unwrap_err();
    for (method, _) in Method::ALL {
        assert_eq!(why(method, None, None), "auth: missing key data", "{method:?}");
        assert_eq!(why(method, Some(b""), Some(b"")), "auth: missing key data", "{method:?}");
    }
    let other = Some(file!("rsa-other.pub.pem"));
    let mismatch = "auth: public and private keys don't match";
    assert_eq!(why(Method::Rs256, other, Some(file!("rsa.pem"))), mismatch);
    let wrong = "the private key is none for this sign-method";
    assert_eq!(why(Method::Es384, None, Some(file!("p256.pem"))), wrong);
    assert_eq!(why(Method::EdDsa, None, Some(b"nonsense")), wrong);
    assert_eq!(why(Method::EdDsa, None, Some(b"\xff")), "a key file is not in PEM");
    assert_eq!(why(Method::Rs256, Some(b"x"), None), "a public key is none for this sign-method");
    assert!(Jwt::new(Method::Es256, None, Some(file!("p256-sec1.pem")), TTL).is_ok());
}

#[test]
fn claims_that_are_missing_or_nonsense_name_nobody() {
    let jwt = jwt(Method::Hs256);
    let token = |claims: &str| {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(claims));
        let signature = jwt.keys.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    for (claims, is_good) in [
        (r#"{"username":"ann","revision":7}"#, true),
        (r#"{"username":"ann","revision":7.0,"exp":1800000000.5}"#, true),
        (r#"{"username":"ann","revision":7,"nbf":1800000000}"#, true),
        (r#"{"username":"ann","revision":7,"nbf":1800000001}"#, false),
        (r#"{"username":"ann","revision":7,"exp":"never"}"#, false),
        (r#"{"username":"ann"}"#, false),
        (r#"{"revision":7}"#, false),
        (r#"{"username":1,"revision":7}"#, false),
        (r#"{"username":"ann","revision":"7"}"#, false),
        ("[]", false),
        ("", false),
    ] {
        assert_eq!(jwt.verify(&token(claims), NOW), is_good.then(ann), "{claims}");
    }
}
