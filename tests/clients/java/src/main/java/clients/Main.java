package clients;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.ClientBuilder;
import io.etcd.jetcd.KeyValue;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * The client jetcd, used the way its documentation shows: one method per area, each a small example to copy.
 *
 * <p>It expects an etcd of its own, without data, at ETCD_ENDPOINT (127.0.0.1:2379 by default). Every area prints one
 * line: {@code ok kv}, {@code FAIL lease: why}, or {@code not built lock: what the server said}; the exit code is 1 if
 * one failed.
 */
public final class Main {
  /** How long one call may take, in seconds. */
  private static final long PATIENCE = 30;

  interface Area {
    void run(Client client) throws Exception;
  }

  public static void main(String[] args) {
    Map<String, Area> areas = new LinkedHashMap<>();
    areas.put("kv", Keys::kv);
    areas.put("range", Keys::range);
    areas.put("txn", Keys::txn);
    areas.put("delete", Keys::delete);
    areas.put("namespace", Keys::namespace);
    areas.put("watch", Changes::watch);
    areas.put("progress", Changes::progress);
    areas.put("lease", Leases::lease);
    areas.put("lock", Leases::lock);
    areas.put("election", Leases::election);
    areas.put("members", Upkeep::members);
    areas.put("status", Upkeep::status);
    areas.put("alarms", Upkeep::alarms);
    areas.put("hash", Upkeep::hash);
    areas.put("defragment", Upkeep::defragment);
    areas.put("snapshot", Upkeep::snapshot);
    areas.put("compaction", Keys::compaction);
    areas.put("auth", Users::auth); // last: for a while nobody else may do anything

    boolean failed = false;
    try (Client client = connect().build()) {
      for (Map.Entry<String, Area> area : areas.entrySet()) {
        failed |= !attempt(area.getKey(), area.getValue(), client);
      }
    }
    System.exit(failed ? 1 : 0);
  }

  static String endpoint() {
    String given = System.getenv("ETCD_ENDPOINT");
    return "http://" + (given == null ? "127.0.0.1:2379" : given);
  }

  /** A client for the server under test, for more to be added to. */
  static ClientBuilder connect() {
    return Client.builder().endpoints(endpoint());
  }

  private static boolean attempt(String name, Area area, Client client) {
    try {
      area.run(client);
      System.out.println("ok " + name);
      return true;
    } catch (Exception | AssertionError error) {
      String words = notBuilt(error);
      if (words != null) {
        System.out.println("not built " + name + ": " + words);
        return true;
      }
      StackTraceElement mine = where(error);
      System.out.println("FAIL " + name + ": " + mine + ": " + message(error));
      return false;
    }
  }

  private static StackTraceElement where(Throwable error) {
    for (StackTraceElement frame : error.getStackTrace()) {
      boolean isHelper = frame.getClassName().equals(Main.class.getName());
      if (frame.getClassName().startsWith("clients.") && !isHelper) {
        return frame;
      }
    }
    return null;
  }

  /** The words of the innermost cause, which are the server's. */
  static String message(Throwable error) {
    Throwable inner = error;
    while (inner.getCause() != null) {
      inner = inner.getCause();
    }
    return String.valueOf(inner.getMessage());
  }

  /** The server's words if it says that it has not built the call; else null. */
  static String notBuilt(Throwable error) {
    // The client leaves the code in front of the words of some calls and not of others.
    String words = message(error).replaceFirst("^UNIMPLEMENTED: ", "");
    return words.startsWith("unimplemented:") ? words : null;
  }

  /** Waits for an answer. */
  static <T> T await(CompletableFuture<T> answer) throws Exception {
    return answer.get(PATIENCE, TimeUnit.SECONDS);
  }

  /** Waits for a refusal with these words; one that is not built is passed on. */
  static void refused(CompletableFuture<?> answer, String words) throws Exception {
    try {
      await(answer);
    } catch (Exception error) {
      if (notBuilt(error) != null || !message(error).contains(words)) {
        throw error;
      }
      return;
    }
    throw new AssertionError("not refused with: " + words);
  }

  static void check(boolean holds, String claim) {
    if (!holds) {
      throw new AssertionError("not so: " + claim);
    }
  }

  static ByteSequence bytes(String text) {
    return ByteSequence.from(text, StandardCharsets.UTF_8);
  }

  /** The keys of some pairs, in their order. */
  static String keys(List<KeyValue> pairs) {
    return pairs.stream().map(pair -> pair.getKey().toString()).collect(Collectors.joining(" "));
  }
}
