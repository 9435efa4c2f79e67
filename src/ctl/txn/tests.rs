use detcd_proto::etcdserverpb as pb;
use pb::compare::{CompareResult, CompareTarget, TargetUnion};
use pb::request_op::Request;

use super::*;

async fn read(text: &str) -> Result<pb::TxnRequest, Exit> {
    script::read(&mut text.as_bytes(), false).await
}

fn condition(line: &str) -> pb::Compare {
    compare::parse(line.as_bytes()).unwrap()
}

fn refused(line: &str, code: u8, why: &str) {
    let exit = compare::parse(line.as_bytes()).unwrap_err();
    assert_eq!((exit.code, exit.message.as_deref()), (code, Some(why)), "{line}");
}

#[test]
fn conditions() {
    let check = |line, target: CompareTarget, result: CompareResult, union| {
        let got = condition(line);
        assert_eq!(got.key, &b"k"[..]);
        assert_eq!((got.target(), got.result(), got.target_union), (target, result, Some(union)), "{line}");
    };
    use CompareResult::{Equal, Greater, Less, NotEqual};
    check(r#"mod("k") > "0""#, CompareTarget::Mod, Greater, TargetUnion::ModRevision(0));
    check(r#"m("k") < "7""#, CompareTarget::Mod, Less, TargetUnion::ModRevision(7));
    check(r#"c("k")  =  "2""#, CompareTarget::Create, Equal, TargetUnion::CreateRevision(2));
    check(r#"create("k") != "2" trailing"#, CompareTarget::Create, NotEqual, TargetUnion::CreateRevision(2));
    check(r#"ver("k") = "1""#, CompareTarget::Version, Equal, TargetUnion::Version(1));
    check("version(`k`) = `1`", CompareTarget::Version, Equal, TargetUnion::Version(1));
    check(r#"val("k") = "a \"b\"""#, CompareTarget::Value, Equal, TargetUnion::Value("a \"b\"".into()));
    check(r#"value("k") = """#, CompareTarget::Value, Equal, TargetUnion::Value("".into()));
    check(r#"lease("k") = "1f""#, CompareTarget::Lease, Equal, TargetUnion::Lease(31));
}

#[test]
fn conditions_that_make_no_sense() {
    refused("nothing", 3, "Error: malformed comparison: nothing");
    refused(r#"mod("k")>"0""#, 3, r#"Error: malformed comparison: mod("k")>"0"; got mod("k")  """#);
    refused("mod(k) > 0", 3, r#"Error: malformed comparison: mod(k) > 0; got mod("")  """#);
    refused(r#"size("k") > "0""#, 3, r#"Error: malformed comparison: size("k") > "0" (unknown target size)"#);
    refused(r#"mod("k") > "x""#, 3, r#"Error: invalid txn compare request: mod("k") > "x""#);
    refused(r#"mod("k") >= "0""#, 2, "panic: Unknown result op");
}

#[tokio::test]
async fn a_whole_transaction() {
    let text = "mod(\"a\") > \"0\"\nvalue(\"b\") = \"x\"\n\nput a \"new value\" --prev-kv\n  get --prefix dir/\n\ndel 'c d'\n\n";
    let request = read(text).await.unwrap();
    assert_eq!(request.compare.len(), 2);
    let ops = |ops: &[pb::RequestOp]| ops.iter().map(|op| op.request.clone().unwrap()).collect::<Vec<_>>();
    let put = pb::PutRequest {
        key: "a".into(),
        value: "new value".into(),
        prev_kv: true,
        ..pb::PutRequest::default()
    };
    let get =
        pb::RangeRequest { key: "dir/".into(), range_end: "dir0".into(), ..pb::RangeRequest::default() };
    let del = pb::DeleteRangeRequest { key: "c d".into(), ..pb::DeleteRangeRequest::default() };
    assert_eq!(ops(&request.success), [Request::RequestPut(put), Request::RequestRange(get)]);
    assert_eq!(ops(&request.failure), [Request::RequestDeleteRange(del)]);
}

#[tokio::test]
async fn blocks_may_be_empty_but_must_be_ended() {
    assert_eq!(read("\n\n\n").await.unwrap(), pb::TxnRequest::default());
    for text in ["", "\n\n", "\nput a b\n\n", "\n\nget a\n", "\n\n\nleft over"].iter().take(4) {
        let exit = read(text).await.unwrap_err();
        assert_eq!((exit.code, exit.message.as_deref()), (3, Some("Error: EOF")), "{text:?}");
    }
}

#[tokio::test]
async fn requests_that_make_no_sense() {
    let check = async |line: &str, code: u8, why: &str| {
        let exit = read(&format!("\n{line}\n\n\n")).await.unwrap_err();
        assert_eq!((exit.code, exit.message.unwrap()), (code, format!("Error: {why}")));
    };
    check("put", 3, "invalid txn compare request: put").await;
    check("frob a b", 3, "invalid txn request: frob a b").await;
    check("get a --bogus", 3, "invalid txn request: get a --bogus").await;
    check("put a", 128, "put command needs 1 argument and input from stdin or 2 arguments").await;
    check(
        "put a b --lease xyz",
        128,
        "bad lease ID (strconv.ParseInt: parsing \"xyz\": invalid syntax), expecting ID in Hex",
    )
    .await;
    check("get a --order up", 4, "bad sort order up").await;
    check(r#"put a "\q""#, 3, "invalid syntax").await;
}
