"""python-etcd3, the client that speaks gRPC, used the way its documentation shows: one function per area.

It expects an etcd of its own, without data, at ETCD_ENDPOINT (127.0.0.1:2379 by default).
"""

import hashlib
import io

import etcd3
import etcd3.etcdrpc
import grpc

import areas


def kv(etcd):
    etcd.put("kv/greeting", "hello")
    answer = etcd.put("kv/greeting", "good morning", prev_kv=True)
    assert answer.prev_kv.value == b"hello"
    value, metadata = etcd.get("kv/greeting")
    assert value == b"good morning"
    assert metadata.key == b"kv/greeting"
    assert metadata.version == 2
    assert metadata.mod_revision == metadata.create_revision + 1 == answer.header.revision
    assert metadata.lease_id == 0
    assert etcd.get("kv/greeting", serializable=True)[0] == b"good morning"
    assert etcd.get("kv/absent") == (None, None)

    assert etcd.put_if_not_exists("kv/once", "1")
    assert not etcd.put_if_not_exists("kv/once", "2")
    assert etcd.replace("kv/once", "1", "2")
    assert not etcd.replace("kv/once", "1", "3")
    assert etcd.get("kv/once")[0] == b"2"
    error = areas.refused(lambda: etcd.put("", "value"), is_rpc_error)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "etcdserver: key is not provided"


def range_(etcd):
    for key in "bacd":
        etcd.put("range/" + key, "value of " + key)
    etcd.put("range/b", "another value")

    def keys(pairs):
        return b" ".join(metadata.key for _, metadata in pairs)

    assert keys(etcd.get_prefix("range/")) == b"range/a range/b range/c range/d"
    assert keys(etcd.get_range("range/b", "range/d")) == b"range/b range/c"
    assert keys(etcd.get_prefix("range/", sort_order="descend")) == b"range/d range/c range/b range/a"
    assert keys(etcd.get_prefix("range/", sort_order="ascend", sort_target="mod")).endswith(b"range/b")
    assert keys(etcd.get_prefix("range/", sort_order="ascend", sort_target="create")).startswith(b"range/b")
    assert keys(etcd.get_prefix("range/", sort_order="descend", sort_target="version")).startswith(b"range/b")
    assert keys(etcd.get_prefix("range/", sort_order="ascend", sort_target="value")).startswith(b"range/b")
    assert all(value == b"" for value, _ in etcd.get_prefix("range/", keys_only=True))
    assert etcd.get_prefix_response("range/").count == 4
    assert len(list(etcd.get_all())) >= 4


def txn(etcd):
    make = etcd.transactions
    etcd.put("txn/key", "1")
    done, answers = etcd.transaction(
        compare=[
            make.value("txn/key") == "1",
            make.version("txn/key") > 0,
            make.create("txn/key") != 0,
            make.mod("txn/key") > 0,
            make.version("txn/absent") < 1,
        ],
        success=[make.put("txn/key", "2", prev_kv=True), make.get("txn/key"), make.delete("txn/absent")],
        failure=[make.put("txn/key", "never")],
    )
    assert done
    assert answers[0].response_put.prev_kv.value == b"1"
    value, metadata = answers[1][0]
    assert value == b"2" and metadata.version == 2
    assert answers[2].response_delete_range.deleted == 0

    done, answers = etcd.transaction(
        compare=[make.value("txn/key") == "1"],
        success=[],
        failure=[make.txn(compare=[make.value("txn/key") == "2"], success=[make.put("txn/inner", "x")], failure=[])],
    )
    assert not done
    assert answers[0].response_txn.succeeded
    assert etcd.get("txn/inner")[0] == b"x"
    error = areas.refused(
        lambda: etcd.transaction(compare=[], success=[make.put("txn/k", "1"), make.put("txn/k", "2")], failure=[]),
        is_rpc_error,
    )
    assert error.details() == "etcdserver: duplicate key given in txn request"


def delete(etcd):
    for key in "123":
        etcd.put("delete/" + key, key)
    answer = etcd.delete("delete/1", prev_kv=True, return_response=True)
    assert answer.deleted == 1 and answer.prev_kvs[0].value == b"1"
    assert not etcd.delete("delete/1")
    assert etcd.delete_prefix("delete/").deleted == 2


def watch(etcd):
    events, cancel = etcd.watch_prefix("watch/", prev_kv=True)
    first = etcd.put("watch/a", "1").header.revision
    etcd.put("watch/a", "2")
    etcd.delete("watch/a")
    made, changed, deleted = next(events), next(events), next(events)
    assert isinstance(made, etcd3.events.PutEvent) and made.value == b"1" and made.mod_revision == first
    assert changed.value == b"2" and changed.prev_value == b"1"
    assert isinstance(deleted, etcd3.events.DeleteEvent) and deleted.prev_value == b"2"
    cancel()
    assert list(events) == [], "no events after the cancellation"

    # The same again from the past, with everything the server says, and once only.
    answers, cancel = etcd.watch_response("watch/a", start_revision=first)
    answer = next(answers)
    assert answer.events[0].value == b"1" and answer.header.revision >= first
    cancel()
    assert etcd.watch_once("watch/a", timeout=10, start_revision=first).value == b"1"
    areas.refused(
        lambda: etcd.watch_once("watch/quiet", timeout=0.1),
        lambda error: isinstance(error, etcd3.exceptions.WatchTimedOut),
    )


def lease(etcd):
    held = etcd.lease(60)
    assert held.ttl == 60 and held.id != 0
    etcd.put("lease/a", "1", lease=held)
    etcd.put("lease/b", "2", lease=held.id)
    assert etcd.get("lease/a")[1].lease_id == held.id
    assert held.granted_ttl == 60 and 0 < held.remaining_ttl <= 60
    assert sorted(held.keys) == [b"lease/a", b"lease/b"]
    assert held.refresh()[0].TTL == 60
    held.revoke()
    assert etcd.get("lease/a") == (None, None)
    assert held.remaining_ttl == -1
    error = areas.refused(held.revoke, is_rpc_error)
    assert error.details() == "etcdserver: requested lease not found"
    chosen = etcd.lease(60, lease_id=4711)
    assert chosen.id == 4711
    chosen.revoke()


def lock(etcd):
    with etcd.lock("door", ttl=30) as mine:
        assert mine.is_acquired()
        assert not etcd.lock("door", ttl=30).is_acquired()
        assert mine.refresh()[0].TTL == 30
    assert not mine.is_acquired()


def members(etcd):
    (member,) = etcd.members
    assert member.name and len(list(member.peer_urls)) == 1 and len(list(member.client_urls)) == 1
    assert list(member.active_alarms) == []


def status(etcd):
    now = etcd.status()
    assert now.version.startswith("3.")
    assert now.db_size > 0 and now.raft_term > 0 and now.raft_index > 0
    assert now.leader.id == next(iter(etcd.members)).id


def alarms(etcd):
    assert list(etcd.list_alarms()) == []
    (raised,) = etcd.create_alarm()
    assert raised.alarm_type == etcd3.etcdrpc.NOSPACE
    error = areas.refused(lambda: etcd.put("alarms/key", "no room"), is_rpc_error)
    assert error.details() == "etcdserver: mvcc: database space exceeded"
    assert len(list(etcd.list_alarms())) == 1
    etcd.disarm_alarm(member_id=raised.member_id)
    assert list(etcd.list_alarms()) == []
    etcd.put("alarms/key", "room again")


def hash(etcd):
    etcd.put("hash/key", "1")
    before = etcd.hash()
    etcd.put("hash/key", "2")
    assert etcd.hash() != before, "a write changes the sum"


def defragment(etcd):
    etcd.put("defragment/key", "kept")
    etcd.defragment()
    assert etcd.get("defragment/key")[0] == b"kept"


def snapshot(etcd):
    file = io.BytesIO()
    etcd.snapshot(file)
    image, checksum = file.getvalue()[:-32], file.getvalue()[-32:]
    assert len(image) > 0 and len(image) % 512 == 0
    assert hashlib.sha256(image).digest() == checksum


def compaction(etcd):
    first = etcd.put("compaction/key", "1").header.revision
    last = etcd.put("compaction/key", "2").header.revision
    etcd.compact(last, physical=True)
    error = areas.refused(lambda: etcd.compact(first), is_rpc_error)
    assert error.code() == grpc.StatusCode.OUT_OF_RANGE
    assert error.details() == "etcdserver: mvcc: required revision has been compacted"
    error = areas.refused(lambda: etcd.compact(last + 1000), is_rpc_error)
    assert error.details() == "etcdserver: mvcc: required revision is a future revision"
    events, _ = etcd.watch("compaction/key", start_revision=first)
    error = areas.refused(
        lambda: next(events), lambda error: isinstance(error, etcd3.exceptions.RevisionCompactedError)
    )
    assert error.compacted_revision == last


def auth(etcd):
    """The client can log in, but has no calls to manage users: its generated stubs do that."""
    rpc = etcd3.etcdrpc
    manage = rpc.AuthStub(etcd.channel)
    for user in ["root", "reader"]:
        manage.UserAdd(rpc.AuthUserAddRequest(name=user, password=user + "-password"))
    manage.RoleAdd(rpc.AuthRoleAddRequest(name="root"))
    manage.UserGrantRole(rpc.AuthUserGrantRoleRequest(user="root", role="root"))
    manage.RoleAdd(rpc.AuthRoleAddRequest(name="read"))
    # The permission's type is not among the names that this client exports; 0 is READ.
    permission = rpc.AuthRoleGrantPermissionRequest(name="read")
    permission.perm.permType, permission.perm.key, permission.perm.range_end = 0, b"auth/", b"auth0"
    manage.RoleGrantPermission(permission)
    manage.UserGrantRole(rpc.AuthUserGrantRoleRequest(user="reader", role="read"))
    etcd.put("auth/key", "secret")
    manage.AuthEnable(rpc.AuthEnableRequest())

    host, port = areas.endpoint()
    error = areas.refused(lambda: etcd.get("auth/key"), is_rpc_error)
    assert error.details() == "etcdserver: user name is empty"
    error = areas.refused(lambda: etcd3.client(host, port, user="reader", password="wrong"), is_rpc_error)
    assert error.details() == "etcdserver: authentication failed, invalid user ID or password"
    with login(host, port, "reader") as reader:
        assert reader.get("auth/key")[0] == b"secret"
        error = areas.refused(lambda: reader.put("auth/key", "changed"), is_rpc_error)
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED
        assert error.details() == "etcdserver: permission denied"
    with login(host, port, "root") as root:
        root.put("auth/key", "changed")
        rpc.AuthStub(root.channel).AuthDisable(rpc.AuthDisableRequest(), metadata=root.metadata)
    assert etcd.get("auth/key")[0] == b"changed"


def login(host, port, user):
    client = etcd3.client(host, port, user=user, password=user + "-password")
    # The token goes along twice, and gRPC refuses one of the two without TLS; the other, in the metadata, is enough.
    client.call_credentials = None
    return client


def is_rpc_error(error):
    """Whether it is one that the client passes on as it came."""
    return isinstance(error, grpc.RpcError) and not_built(error) is None


def not_built(error):
    if isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.UNIMPLEMENTED:
        said = error.details()
        return said if said.startswith("unimplemented:") else None
    return None


AREAS = [
    kv, range_, txn, delete, watch, lease, lock, members, status, alarms, hash, defragment, snapshot, compaction,
    auth,  # last: for a while nobody else may do anything
]  # fmt: skip

if __name__ == "__main__":
    HOST, PORT = areas.endpoint()
    areas.run(etcd3.client(host=HOST, port=PORT), AREAS, not_built)
