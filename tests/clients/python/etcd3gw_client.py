"""etcd3gw, the client that speaks JSON over HTTP, used the way its documentation shows: one function per area.

It expects an etcd of its own, without data, at ETCD_ENDPOINT (127.0.0.1:2379 by default).
"""

import base64
import json

import etcd3gw
import etcd3gw.exceptions

import areas


def kv(etcd):
    assert etcd.put("kv/greeting", "hello")
    assert etcd.get("kv/greeting") == [b"hello"]
    ((value, metadata),) = etcd.get("kv/greeting", metadata=True)
    assert value == b"hello" and metadata["key"] == b"kv/greeting"
    assert metadata["version"] == "1", "64-bit numbers are strings"
    assert metadata["create_revision"] == metadata["mod_revision"]
    assert etcd.get("kv/absent") == []
    assert etcd.put("kv/binary", b"\x00\xff\n")
    assert etcd.get("kv/binary") == [b"\x00\xff\n"]
    assert etcd.create("kv/once", "1")
    assert not etcd.create("kv/once", "2")
    assert etcd.replace("kv/once", "1", "2")
    assert not etcd.replace("kv/once", "1", "3")
    error = areas.refused(lambda: etcd.put("", "value"), is_answer)
    assert words(error) == "etcdserver: key is not provided"


def range_(etcd):
    for key in "bacd":
        etcd.put("range/" + key, "value of " + key)
    etcd.put("range/b", "another value")

    def keys(pairs):
        return b" ".join(metadata["key"] for _, metadata in pairs)

    assert keys(etcd.get_prefix("range/")) == b"range/a range/b range/c range/d"
    assert keys(etcd.get_prefix("range/", sort_order="descend")) == b"range/d range/c range/b range/a"
    assert keys(etcd.get_prefix("range/", sort_order="ascend", sort_target="mod")).endswith(b"range/b")
    assert keys(etcd.get("range/b", range_end="range/d", metadata=True)) == b"range/b range/c"
    assert keys(etcd.get("range/", range_end="range0", limit=2, metadata=True)) == b"range/a range/b"
    assert etcd.get("range/", range_end="range0", keys_only=True) == [b"", b"", b"", b""]
    assert etcd.get("range/", range_end="range0", count_only=True) == []
    assert len(etcd.get_all()) >= 4
    created = etcd.get("range/b", metadata=True)[0][1]["create_revision"]
    assert etcd.get("range/b", revision=int(created)) == [b"value of b"], "the past can be read"


def txn(etcd):
    etcd.put("txn/key", "1")
    key = base64.b64encode(b"txn/key").decode()
    answer = etcd.transaction({
        "compare": [{"key": key, "target": "VERSION", "result": "GREATER", "version": "0"}],
        "success": [
            {"request_put": {"key": key, "value": base64.b64encode(b"2").decode(), "prev_kv": True}},
            {"request_range": {"key": key}},
        ],
        "failure": [],
    })
    assert answer["succeeded"]
    put, got = answer["responses"]
    assert base64.b64decode(put["response_put"]["prev_kv"]["value"]) == b"1"
    assert base64.b64decode(got["response_range"]["kvs"][0]["value"]) == b"2"


def delete(etcd):
    for key in "123":
        etcd.put("delete/" + key, key)
    assert etcd.delete("delete/1")
    assert not etcd.delete("delete/1")
    assert etcd.delete_prefix("delete/")
    assert etcd.get_prefix("delete/") == []


def watch(etcd):
    events, cancel = etcd.watch_prefix("watch/", prev_kv=True)
    etcd.put("watch/a", "1")
    etcd.put("watch/a", "2")
    etcd.delete("watch/a")
    made, changed, deleted = next(events), next(events), next(events)
    assert made["kv"]["key"] == b"watch/a" and made["kv"]["value"] == b"1"
    assert "type" not in made, "a put is the default, which JSON leaves out"
    assert base64.b64decode(changed["prev_kv"]["value"]) == b"1"
    assert deleted["type"] == "DELETE"
    cancel()
    first = int(made["kv"]["mod_revision"])
    past = etcd.watch_once("watch/a", timeout=10, start_revision=first, filters=["NOPUT"])
    assert past["type"] == "DELETE"
    areas.refused(
        lambda: etcd.watch_once("watch/quiet", timeout=0.5),
        lambda error: isinstance(error, etcd3gw.exceptions.WatchTimedOut),
    )


def lease(etcd):
    held = etcd.lease(ttl=60)
    etcd.put("lease/a", "1", lease=held)
    assert held.keys() == [b"lease/a"]
    assert 0 < held.ttl() <= 60
    assert held.refresh() == 60
    assert held.revoke()
    assert etcd.get("lease/a") == []
    assert held.ttl() == -1
    assert held.refresh() == -1, "a lease that is gone cannot be kept alive"
    error = areas.refused(held.revoke, is_answer)
    assert words(error) == "etcdserver: requested lease not found"


def lock(etcd):
    with etcd.lock("door", ttl=30) as mine:
        assert mine.is_acquired()
        assert not etcd.lock("door").acquire()
        assert mine.refresh() == 30
    assert not mine.is_acquired()


def members(etcd):
    (member,) = etcd.members()
    assert int(member["ID"]) > 0 and member["name"]
    assert len(member["peerURLs"]) == 1 and len(member["clientURLs"]) == 1


def status(etcd):
    now = etcd.status()
    assert now["version"].startswith("3.")
    assert now["leader"] == now["header"]["member_id"]
    assert int(now["dbSize"]) > 0 and int(now["raftTerm"]) > 0


def compaction(etcd):
    etcd.put("compaction/key", "1")
    first = etcd.get("compaction/key", metadata=True)[0][1]["mod_revision"]
    etcd.put("compaction/key", "2")
    last = etcd.get("compaction/key", metadata=True)[0][1]["mod_revision"]
    etcd.post(etcd.get_url("/kv/compaction"), json={"revision": last})
    error = areas.refused(lambda: etcd.get("compaction/key", revision=int(first)), is_answer)
    assert words(error) == "etcdserver: mvcc: required revision has been compacted"


def auth(etcd):
    """The client has no calls for it; `post` reaches every path, and a session carries the token."""

    def call(path, client=etcd, **body):
        return client.post(etcd.get_url("/auth/" + path), json=body)

    call("user/add", name="root", password="root-password")
    call("role/add", name="root")
    call("user/grant", user="root", role="root")
    etcd.put("auth/key", "secret")
    call("enable")
    areas.refused(lambda: etcd.get("auth/key"), is_answer)
    areas.refused(lambda: call("authenticate", name="root", password="wrong"), is_answer)
    token = call("authenticate", name="root", password="root-password")["token"]
    root = etcd3gw.client(host=etcd.host, port=etcd.port)
    root.session.headers["Authorization"] = token
    assert root.get("auth/key") == [b"secret"]
    call("disable", client=root)
    assert etcd.get("auth/key") == [b"secret"]


def words(error):
    """What the gateway says; until etcd 3.5 it said the same as `error` once more."""
    return json.loads(error.detail_text)["message"]


def is_answer(error):
    """Whether the gateway said no, in JSON."""
    return isinstance(error, etcd3gw.exceptions.Etcd3Exception) and not_built(error) is None


def not_built(error):
    """A server without a gateway knows none of its paths; one with it passes on what gRPC says."""
    said = getattr(error, "detail_text", None) or ""
    if "404 page not found" in said and not has_gateway():
        return "unimplemented: the JSON gateway"
    if "unimplemented: " in said:
        return words(error)
    return None


def has_gateway():
    host, port = areas.endpoint()
    client = etcd3gw.client(host=host, port=port)
    answer = client.session.post(client.get_url("/maintenance/status"), json={})
    return answer.status_code != 404


AREAS = [
    kv, range_, txn, delete, watch, lease, lock, members, status, compaction,
    auth,  # last: for a while nobody else may do anything
]  # fmt: skip

if __name__ == "__main__":
    HOST, PORT = areas.endpoint()
    areas.run(etcd3gw.client(host=HOST, port=PORT), AREAS, not_built)
