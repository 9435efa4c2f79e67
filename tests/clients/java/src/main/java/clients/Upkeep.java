package clients;

import static clients.Main.await;
import static clients.Main.bytes;
import static clients.Main.check;

import io.etcd.jetcd.Client;
import io.etcd.jetcd.KV;
import io.etcd.jetcd.Maintenance;
import io.etcd.jetcd.cluster.Member;
import io.etcd.jetcd.cluster.MemberListResponse;
import io.etcd.jetcd.maintenance.StatusResponse;
import java.io.ByteArrayOutputStream;
import java.security.MessageDigest;
import java.util.Arrays;

/** Members, and how they are. */
final class Upkeep {
  static void members(Client client) throws Exception {
    MemberListResponse list = await(client.getClusterClient().listMember());
    check(list.getMembers().size() == 1, "one member");
    Member member = list.getMembers().get(0);
    check(member.getId() == list.getHeader().getMemberId(), "the one that answers");
    check(!member.isLearner() && !member.getName().isEmpty() && member.getPeerURIs().size() == 1, "a voter");
  }

  static void status(Client client) throws Exception {
    StatusResponse now = await(client.getMaintenanceClient().statusMember(Main.endpoint()));
    check(now.getVersion().startsWith("3."), "version 3, not " + now.getVersion());
    check(now.getLeader() == now.getHeader().getMemberId(), "a single member leads itself");
    check(now.getDbSize() >= now.getDbSizeInUse() && now.getDbSizeInUse() > 0, "its data takes space");
    check(now.getRaftTerm() > 0 && now.getRaftIndex() >= now.getRaftAppliedIndex(), "it applies what is agreed");
    check(!now.isLearner() && now.getErrorList().isEmpty(), "it votes and complains of nothing");
  }

  static void alarms(Client client) throws Exception {
    check(await(client.getMaintenanceClient().listAlarms()).getAlarms().isEmpty(), "a healthy member has none");
  }

  /** The sum of all keys and their history, which equal members share. */
  static void hash(Client client) throws Exception {
    Maintenance maintenance = client.getMaintenanceClient();
    KV kv = client.getKVClient();
    long revision = await(kv.put(bytes("hash/key"), bytes("1"))).getHeader().getRevision();
    int before = await(maintenance.hashKV(Main.endpoint(), 0)).getHash();
    await(kv.put(bytes("hash/key"), bytes("2")));
    check(await(maintenance.hashKV(Main.endpoint(), 0)).getHash() != before, "a write changes it");
    check(await(maintenance.hashKV(Main.endpoint(), revision)).getHash() == before, "that of a past revision stays");
  }

  static void defragment(Client client) throws Exception {
    await(client.getKVClient().put(bytes("defragment/key"), bytes("kept")));
    await(client.getMaintenanceClient().defragmentMember(Main.endpoint()));
    check(await(client.getKVClient().get(bytes("defragment/key"))).getCount() == 1, "nothing is lost by it");
  }

  /** A copy of everything, with a sum of it at its end. */
  static void snapshot(Client client) throws Exception {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    long length = await(client.getMaintenanceClient().snapshot(file));
    byte[] whole = file.toByteArray();
    check(whole.length == length && length % 512 == 32, "pages of 512 bytes and a sum of 32");
    byte[] image = Arrays.copyOf(whole, whole.length - 32);
    byte[] sum = Arrays.copyOfRange(whole, whole.length - 32, whole.length);
    check(Arrays.equals(MessageDigest.getInstance("SHA-256").digest(image), sum), "the sum is right");
  }
}
