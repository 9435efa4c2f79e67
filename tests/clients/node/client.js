// The npm package etcd3, used the way its documentation shows: one function per area, each a small example to copy.
//
// It expects an etcd of its own, without data, at ETCD_ENDPOINT (127.0.0.1:2379 by default).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  Etcd3,
  EtcdAuthenticationFailedError,
  EtcdLeaseInvalidError,
  EtcdLockFailedError,
  EtcdPermissionDeniedError,
  EtcdRoleNotFoundError,
  EtcdUserExistsError,
} from 'etcd3';
import { endpoint, next, refused, run } from './areas.js';

async function kv(client) {
  await client.put('kv/greeting').value('hello');
  const before = await client.put('kv/greeting').value('good morning').getPrevious();
  assert.equal(before.value.toString(), 'hello');
  assert.equal(await client.get('kv/greeting').string(), 'good morning');
  assert.equal(await client.get('kv/greeting').serializable(true).string(), 'good morning');
  assert.equal(await client.get('kv/absent').string(), null);
  assert.equal(await client.get('kv/greeting').exists(), true);

  const { kvs, count } = await client.get('kv/greeting').exec();
  assert.equal(count, '1', '64-bit numbers are strings');
  assert.equal(kvs[0].version, '2');
  assert.equal(await client.get('kv/greeting').revision(kvs[0].create_revision).string(), 'hello');

  await client.put('kv/number').value(42);
  assert.equal(await client.get('kv/number').number(), 42);
  await client.put('kv/json').value(JSON.stringify({ a: [1, 2] }));
  assert.deepEqual(await client.get('kv/json').json(), { a: [1, 2] });
  await client.put('kv/bytes').value(Buffer.from([0, 255, 10]));
  assert.deepEqual(await client.get('kv/bytes').buffer(), Buffer.from([0, 255, 10]));
  await client.put('kv/number').touch();
  assert.equal((await client.get('kv/number').exec()).kvs[0].version, '2', 'touched: the value stays');
  await refused(client.put('').value('x').exec(), 'etcdserver: key is not provided');
  await refused(client.get('kv/greeting').revision(1_000_000).exec(), 'required revision is a future revision');
}

async function range(client) {
  for (const key of ['b', 'a', 'c', 'd']) await client.put(`range/${key}`).value(`value of ${key}`);
  await client.put('range/b').value('another value');
  const keys = builder => builder.keys().then(found => found.map(key => key.slice('range/'.length)).join(' '));
  const all = () => client.getAll().prefix('range/');

  assert.equal(await keys(all()), 'a b c d');
  assert.equal(await keys(all().sort('Key', 'Descend')), 'd c b a');
  assert.equal(await keys(all().sort('Mod', 'Ascend')), 'a c d b');
  assert.equal(await keys(all().sort('Create', 'Ascend')), 'b a c d');
  assert.equal(await keys(all().sort('Version', 'Descend').limit(1)), 'b');
  assert.equal(await keys(all().sort('Value', 'Ascend').limit(1)), 'b');
  assert.equal(await keys(all().limit(2)), 'a b');
  assert.equal(await keys(client.getAll().inRange({ start: 'range/b', end: 'range/d' })), 'b c');
  assert.equal(await all().count(), 4);
  assert.deepEqual(await all().limit(1).strings(), { 'range/a': 'value of a' });
  const { more } = await all().limit(3).exec();
  assert.equal(more, true);
}

async function txn(client) {
  await client.put('txn/key').value('1');
  const { mod_revision: revision } = (await client.get('txn/key').exec()).kvs[0];
  const swap = () =>
    client
      .if('txn/key', 'Value', '==', '1')
      .and('txn/key', 'Version', '<', 2)
      .and('txn/key', 'Mod', '==', Number(revision))
      .and('txn/absent', 'Create', '==', 0)
      .then(client.put('txn/key').value('2'), client.get('txn/key'), client.delete().key('txn/absent'))
      .else(client.get('txn/key'))
      .commit();
  const done = await swap();
  assert.equal(done.succeeded, true);
  assert.equal(done.responses[1].response_range.kvs[0].value.toString(), '2');
  assert.equal(done.responses[2].response_delete_range.deleted, '0');
  const late = await swap();
  assert.equal(late.succeeded, false);
  assert.equal(late.responses[0].response_range.kvs[0].value.toString(), '2');
  const twice = client.if('txn/key', 'Value', '==', '2').then(client.put('k').value('1'), client.put('k').value('2'));
  await refused(twice.commit(), 'etcdserver: duplicate key given in txn request');
}

async function remove(client) {
  for (const key of ['1', '2', '3', '4']) await client.put(`delete/${key}`).value(key);
  const gone = await client.delete().key('delete/1').getPrevious();
  assert.equal(gone[0].value.toString(), '1');
  assert.equal((await client.delete().key('delete/1').exec()).deleted, '0');
  const part = await client.delete().inRange({ start: 'delete/2', end: 'delete/4' });
  assert.equal(part.deleted, '2');
  assert.equal((await client.delete().prefix('delete/').exec()).deleted, '1');
}

async function watch(client) {
  const watcher = await client.watch().prefix('watch/').withPreviousKV().create();
  let told = next(watcher, 'put');
  const { header } = await client.put('watch/a').value('1').exec();
  const [made, nothing] = await told;
  assert.equal(made.mod_revision, header.revision);
  assert.ok(!nothing, 'there was nothing before');
  told = next(watcher, 'put');
  await client.put('watch/a').value('2');
  const [changed, before] = await told;
  assert.equal(changed.value.toString(), '2');
  assert.equal(before.value.toString(), '1');
  told = next(watcher, 'delete');
  await client.delete().key('watch/a');
  assert.equal((await told)[1].value.toString(), '2');
  await watcher.cancel();

  // From the past, without what went away.
  const puts = [];
  const past = client.watch().key('watch/a').startRevision(header.revision).only('put').watcher();
  await new Promise(resolve => past.on('put', pair => puts.push(pair.value.toString()) === 2 && resolve()));
  assert.deepEqual(puts, ['1', '2']);
  await past.cancel();
}

async function lease(client) {
  const held = client.lease(60, { autoKeepAlive: false });
  const id = await held.grant();
  await held.put('lease/a').value('1');
  await client.put('lease/b').value('2').lease(id);
  assert.equal((await client.get('lease/a').exec()).kvs[0].lease, id);
  assert.equal((await held.keepaliveOnce()).TTL, '60');
  const left = await client.leaseClient.leaseTimeToLive({ ID: id, keys: true });
  assert.equal(left.grantedTTL, '60');
  assert.ok(Number(left.TTL) > 0 && Number(left.TTL) <= 60);
  assert.deepEqual(left.keys.map(String).sort(), ['lease/a', 'lease/b']);
  assert.ok((await client.leaseClient.leaseLeases()).leases.some(({ ID }) => ID === id));
  await client.put('lease/b').value('3').ignoreLease();
  await held.revoke();
  assert.equal(held.revoked(), true);
  assert.equal(await client.get('lease/a').string(), null);
  assert.equal(await client.get('lease/b').string(), null);
  const late = client.put('lease/c').value('x').lease(id).exec();
  assert.ok((await refused(late, 'requested lease not found')) instanceof EtcdLeaseInvalidError);

  // By default the client keeps it alive, and tells when it cannot.
  const kept = client.lease(30);
  const alive = next(kept, 'keepaliveEstablished');
  await kept.grant();
  await alive;
  const lost = next(kept, 'lost');
  await client.leaseClient.leaseRevoke({ ID: await kept.grant() });
  await assert.rejects(kept.keepaliveOnce(), EtcdLeaseInvalidError);
  await lost;
}

async function lock(client) {
  const mine = await client.lock('door').ttl(30).acquire();
  await assert.rejects(client.lock('door').acquire(), EtcdLockFailedError);
  await mine.release();
  assert.equal(await client.lock('door').do(async () => 'inside'), 'inside');
}

async function election(client) {
  const seats = client.election('seat', 30);
  assert.equal(await seats.leader(), undefined);
  const one = seats.campaign('one');
  await one.wait();
  assert.equal(await seats.leader(), 'one');
  const observer = await seats.observe();
  const until = async name => {
    while (observer.leader() !== name) await next(observer, 'change');
  };
  await until('one');
  await one.proclaim('one, still');
  await until('one, still');
  const two = seats.campaign('two');
  const won = two.wait();
  await one.resign();
  await won;
  await until('two');
  await observer.cancel();
  await two.resign();
}

async function stm(client) {
  const accounts = ['stm/0', 'stm/1', 'stm/2'];
  for (const account of accounts) await client.put(account).value(100);
  // Serializable. With the client's default, a transaction that reads two keys and writes both conflicts with itself.
  const isolation = 1;
  const transfer = i =>
    client.stm({ isolation, retries: 20 }).transact(async tx => {
      const from = accounts[i % 3];
      const to = accounts[(i + 1) % 3];
      const rich = await tx.get(from).number();
      const poor = await tx.get(to).number();
      await tx.put(from).value(rich - 1);
      await tx.put(to).value(poor + 1);
    });
  await Promise.all(Array.from({ length: 9 }, (_, i) => transfer(i)));
  const left = await client.getAll().prefix('stm/').numbers();
  assert.equal(Object.values(left).reduce((sum, each) => sum + each), 300);
}

async function namespace(client) {
  const inside = client.namespace('namespace/');
  await inside.put('key').value('inside');
  assert.equal(await client.get('namespace/key').string(), 'inside');
  assert.deepEqual(await inside.getAll().keys(), ['key']);
  await inside.delete().all();
  assert.equal(await client.get('namespace/key').string(), null);
}

async function members(client) {
  const { members: all, header } = await client.cluster.memberList({});
  assert.equal(all.length, 1);
  assert.equal(all[0].ID, header.member_id);
  assert.equal(all[0].peerURLs.length, 1);
}

async function status(client) {
  const now = await client.maintenance.status();
  assert.match(now.version, /^3\./);
  assert.equal(now.leader, now.header.member_id);
  assert.ok(Number(now.dbSize) > 0 && Number(now.raftTerm) > 0 && Number(now.raftIndex) > 0);
}

async function alarms(client) {
  const { alarms: raised } = await client.maintenance.alarm({ action: 'Get', memberID: '0', alarm: 'None' });
  assert.deepEqual(raised, []);
}

async function hash(client) {
  await client.put('hash/key').value('1');
  const before = await client.maintenance.hash();
  await client.put('hash/key').value('2');
  assert.notEqual((await client.maintenance.hash()).hash, before.hash, 'a write changes it');
}

async function defragment(client) {
  await client.put('defragment/key').value('kept');
  await client.maintenance.defragment();
  assert.equal(await client.get('defragment/key').string(), 'kept');
}

async function snapshot(client) {
  const stream = await client.maintenance.snapshot();
  const parts = [];
  await new Promise((resolve, reject) => {
    stream.on('data', part => parts.push(part.blob));
    stream.on('end', resolve);
    stream.on('error', reject);
  });
  const whole = Buffer.concat(parts);
  assert.equal(whole.length % 512, 32, 'pages of 512 bytes and a sum');
  const sum = createHash('sha256').update(whole.subarray(0, -32)).digest();
  assert.deepEqual(sum, whole.subarray(-32));
}

async function compaction(client) {
  const first = (await client.put('compaction/key').value('1').exec()).header.revision;
  const last = (await client.put('compaction/key').value('2').exec()).header.revision;
  await client.kv.compact({ revision: last, physical: true });
  const past = client.get('compaction/key').revision(first).exec();
  await refused(past, 'etcdserver: mvcc: required revision has been compacted');
  assert.equal(await client.get('compaction/key').revision(last).string(), '2');
}

async function auth(client) {
  await refused(client.auth.authEnable(), 'etcdserver: root user does not exist');
  const root = await client.user('root').create('root-password');
  await root.addRole(await client.role('root').create());
  const reading = await client.role('read').create();
  await reading.grant({ permission: 'Read', range: client.range({ prefix: 'auth/' }) });
  const reader = await client.user('reader').create('reader-password');
  await reader.addRole(reading);
  await assert.rejects(client.user('reader').create('x'), EtcdUserExistsError);
  await assert.rejects(reader.addRole('absent'), EtcdRoleNotFoundError);
  assert.deepEqual((await reader.roles()).map(role => role.name), ['read']);
  assert.equal((await reading.permissions())[0].permission, 'Read');
  await client.put('auth/key').value('secret');
  await client.auth.authEnable();

  const as = username => new Etcd3({ hosts: endpoint, auth: { username, password: `${username}-password` } });
  const wrong = new Etcd3({ hosts: endpoint, auth: { username: 'reader', password: 'wrong' } });
  await assert.rejects(wrong.get('auth/key').exec(), EtcdAuthenticationFailedError);
  const byRoot = as('root');
  const byReader = as('reader');
  await refused(client.get('auth/key').exec(), 'etcdserver: user name is empty');
  assert.equal(await byReader.get('auth/key').string(), 'secret');
  await assert.rejects(byReader.put('auth/key').value('changed').exec(), EtcdPermissionDeniedError);
  await assert.rejects(byReader.get('elsewhere').exec(), EtcdPermissionDeniedError);
  // A new password drops the user's tokens; the client fetches another by itself.
  await byRoot.user('reader').setPassword('reader-password');
  assert.equal(await byReader.get('auth/key').string(), 'secret');
  assert.equal((await byRoot.getUsers()).length, 2);
  assert.equal((await byRoot.getRoles()).length, 2);
  await byRoot.user('reader').removeRole('read');
  await assert.rejects(byReader.get('auth/key').exec(), EtcdPermissionDeniedError);
  await byRoot.user('reader').delete();
  await byRoot.auth.authDisable();
  for (const other of [wrong, byRoot, byReader]) other.close();
  assert.equal(await client.get('auth/key').string(), 'secret');
}

await run(new Etcd3({ hosts: endpoint }), {
  kv,
  range,
  txn,
  delete: remove,
  watch,
  lease,
  lock,
  election,
  stm,
  namespace,
  members,
  status,
  alarms,
  hash,
  defragment,
  snapshot,
  compaction,
  auth, // last: for a while nobody else may do anything
});
