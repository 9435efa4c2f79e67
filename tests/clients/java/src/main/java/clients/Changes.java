package clients;

import static clients.Main.await;
import static clients.Main.bytes;
import static clients.Main.check;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KV;
import io.etcd.jetcd.Watch;
import io.etcd.jetcd.common.exception.CompactedException;
import io.etcd.jetcd.options.WatchOption;
import io.etcd.jetcd.watch.WatchEvent;
import io.etcd.jetcd.watch.WatchEvent.EventType;
import io.etcd.jetcd.watch.WatchResponse;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Following changes. */
final class Changes {
  /** Live, from a past revision, with the values before, filtered. */
  static void watch(Client client) throws Exception {
    KV kv = client.getKVClient();
    BlockingQueue<WatchResponse> live = new LinkedBlockingQueue<>();
    WatchOption option = WatchOption.builder().isPrefix(true).withPrevKV(true).withCreateNotify(true).build();
    long first;
    try (Watch.Watcher watcher = client.getWatchClient().watch(bytes("watch/"), option, live::add)) {
      check(next(live).isCreatedNotify(), "the server says when the watch is there");
      first = await(kv.put(bytes("watch/a"), bytes("1"))).getHeader().getRevision();
      WatchEvent made = next(live).getEvents().get(0);
      check(made.getEventType() == EventType.PUT && made.getKeyValue().getModRevision() == first, "the creation");
      await(kv.put(bytes("watch/a"), bytes("2")));
      WatchEvent changed = next(live).getEvents().get(0);
      check(changed.getPrevKV().getValue().equals(bytes("1")), "the change, with the value before");
      await(kv.delete(bytes("watch/a")));
      WatchEvent gone = next(live).getEvents().get(0);
      check(gone.getEventType() == EventType.DELETE, "the deletion");
      check(gone.getPrevKV().getValue().equals(bytes("2")), "with the value before, too");
    }
    await(kv.put(bytes("watch/a"), bytes("nobody sees this")));
    check(live.isEmpty(), "nothing after the cancellation");

    BlockingQueue<WatchResponse> past = new LinkedBlockingQueue<>();
    WatchOption deletions = WatchOption.builder().withRevision(first).withNoPut(true).build();
    try (Watch.Watcher watcher = client.getWatchClient().watch(bytes("watch/a"), deletions, past::add)) {
      check(next(past).getEvents().get(0).getEventType() == EventType.DELETE, "puts are filtered out");
    }
  }

  /** Asks how far a watch is, when nothing happens on its keys. */
  static void progress(Client client) throws Exception {
    BlockingQueue<WatchResponse> quiet = new LinkedBlockingQueue<>();
    WatchOption option = WatchOption.builder().withCreateNotify(true).build();
    try (Watch.Watcher watcher = client.getWatchClient().watch(bytes("progress/quiet"), option, quiet::add)) {
      check(next(quiet).isCreatedNotify(), "the watch is there");
      long now = await(client.getKVClient().put(bytes("progress/loud"), bytes(""))).getHeader().getRevision();
      // A server that is not done with the creation yet lets a request pass; so it is asked until it answers.
      WatchResponse answer;
      do {
        watcher.requestProgress();
        answer = next(quiet);
        check(answer.isProgressNotify(), "the watch answers with its progress");
      } while (answer.getHeader().getRevision() < now);
    }
  }

  /** A watch into a compacted past ends with an error that says from where on there is something. */
  static void intoForgotten(Client client, ByteSequence key, long from, long compacted) throws Exception {
    CompletableFuture<Throwable> failure = new CompletableFuture<>();
    WatchOption option = WatchOption.builder().withRevision(from).build();
    Watch.Listener listener = Watch.listener(response -> {}, failure::complete);
    try (Watch.Watcher watcher = client.getWatchClient().watch(key, option, listener)) {
      Throwable error = await(failure);
      check(error instanceof CompactedException, "the watch is cancelled: " + error);
      check(((CompactedException) error).getCompactedRevision() == compacted, "the server says up to where");
    }
  }

  private static WatchResponse next(BlockingQueue<WatchResponse> responses) throws InterruptedException {
    WatchResponse response = responses.poll(30, TimeUnit.SECONDS);
    check(response != null, "a watch response comes in time");
    return response;
  }
}
