package clients;

import static clients.Main.await;
import static clients.Main.bytes;
import static clients.Main.check;
import static clients.Main.refused;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.Election;
import io.etcd.jetcd.KV;
import io.etcd.jetcd.Lease;
import io.etcd.jetcd.Lock;
import io.etcd.jetcd.election.CampaignResponse;
import io.etcd.jetcd.election.LeaderKey;
import io.etcd.jetcd.election.LeaderResponse;
import io.etcd.jetcd.lease.LeaseKeepAliveResponse;
import io.etcd.jetcd.lease.LeaseTimeToLiveResponse;
import io.etcd.jetcd.lock.LockResponse;
import io.etcd.jetcd.options.LeaseOption;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.support.CloseableClient;
import io.etcd.jetcd.support.Observers;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Keys with a life that must be renewed, and the locks and elections that the server makes of them. */
final class Leases {
  static void lease(Client client) throws Exception {
    Lease leases = client.getLeaseClient();
    KV kv = client.getKVClient();
    long id = await(leases.grant(60)).getID();
    PutOption leased = PutOption.builder().withLeaseId(id).build();
    await(kv.put(bytes("lease/a"), bytes("1"), leased));
    await(kv.put(bytes("lease/b"), bytes("2"), leased));
    check(await(kv.get(bytes("lease/a"))).getKvs().get(0).getLease() == id, "the key names its lease");
    LeaseTimeToLiveResponse left = await(leases.timeToLive(id, LeaseOption.builder().withAttachedKeys().build()));
    check(left.getGrantedTTL() == 60 && left.getTTL() > 0 && left.getTTL() <= 60, "it has up to 60 s left");
    check(left.getKeys().size() == 2, "two keys hang on it");

    check(await(leases.keepAliveOnce(id)).getTTL() == 60, "renewed for its full time");
    CompletableFuture<LeaseKeepAliveResponse> renewed = new CompletableFuture<>();
    try (CloseableClient keeping = leases.keepAlive(id, Observers.observer(renewed::complete))) {
      check(await(renewed).getID() == id, "the client renews it in the background");
    }

    await(kv.put(bytes("lease/b"), bytes("free")));
    await(leases.revoke(id));
    check(await(kv.get(bytes("lease/a"))).getCount() == 0, "the leased key is gone with its lease");
    check(await(kv.get(bytes("lease/b"))).getCount() == 1, "the freed one is not");
    refused(leases.revoke(id), "etcdserver: requested lease not found");
    refused(kv.put(bytes("lease/c"), bytes(""), leased), "etcdserver: requested lease not found");
    check(await(leases.timeToLive(id, LeaseOption.DEFAULT)).getTTL() == -1, "a lease that is gone has -1 s to live");
  }

  /** Two owners, one lock. A lock lives as long as its lease. */
  static void lock(Client client) throws Exception {
    Lock locks = client.getLockClient();
    long mine = await(client.getLeaseClient().grant(30)).getID();
    long yours = await(client.getLeaseClient().grant(30)).getID();
    LockResponse held = await(locks.lock(bytes("door"), mine));
    check(held.getKey().toString().startsWith("door/"), "the lock is a key");
    CompletableFuture<LockResponse> waiting = locks.lock(bytes("door"), yours);
    await(locks.unlock(held.getKey()));
    check(!await(waiting).getKey().equals(held.getKey()), "who waited has it");
    await(client.getLeaseClient().revoke(yours));
    LockResponse again = await(locks.lock(bytes("door"), mine));
    await(locks.unlock(again.getKey()));
    await(client.getLeaseClient().revoke(mine));
  }

  /** Two candidates take turns at leading, and an observer follows. */
  static void election(Client client) throws Exception {
    Election elections = client.getElectionClient();
    ByteSequence seat = bytes("seat");
    long one = await(client.getLeaseClient().grant(30)).getID();
    long two = await(client.getLeaseClient().grant(30)).getID();
    LeaderKey leader = await(elections.campaign(seat, one, bytes("one"))).getLeader();
    check(leader.getName().equals(seat) && leader.getLease() == one, "who wins gets the leader's key");
    check(await(elections.leader(seat)).getKv().getValue().equals(bytes("one")), "and everybody knows");

    BlockingQueue<String> observed = new LinkedBlockingQueue<>();
    elections.observe(seat, new Election.Listener() {
      @Override
      public void onNext(LeaderResponse response) {
        observed.add(response.getKv().getValue().toString());
      }

      @Override
      public void onError(Throwable error) {
        observed.add(error.toString());
      }

      @Override
      public void onCompleted() {}
    });
    sees(observed, "one");
    await(elections.proclaim(leader, bytes("one, still")));
    sees(observed, "one, still");
    CompletableFuture<CampaignResponse> waiting = elections.campaign(seat, two, bytes("two"));
    await(elections.resign(leader));
    check(await(waiting).getLeader().getLease() == two, "two leads");
    sees(observed, "two");
    await(client.getLeaseClient().revoke(two));
    await(client.getLeaseClient().revoke(one));
  }

  private static void sees(BlockingQueue<String> observed, String want) throws InterruptedException {
    String seen = observed.poll(30, TimeUnit.SECONDS);
    check(want.equals(seen), "an observer sees \"" + want + "\", not " + seen);
  }
}
