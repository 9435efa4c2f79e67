//! The tables agree with the .proto files.

use super::*;

fn descriptors() -> FileDescriptorSet {
    let root = crate::workspace_root();
    protox::compile(SOURCES, [root.join("proto/proto")]).expect("the .proto files compile")
}

/// proto2 scalars that etcd holds as pointers, so that they can be absent.
const POINTERS: &[&str] = &["etcdserverpb.Request.PrevExist", "etcdserverpb.Request.Refresh"];

/// proto2 messages that etcd holds as values, so that they are always there.
const VALUES: &[&str] = &["raftpb.SnapshotMetadata.conf_state", "raftpb.Snapshot.metadata"];

#[test]
fn every_proto2_field_is_accounted_for() {
    let mut seen = 0;
    for file in descriptors().file.iter().filter(|file| file.syntax() == "proto2" || file.syntax().is_empty())
    {
        for message in &file.message_type {
            for field in message.field.iter().filter(|field| field.label() == Label::Optional) {
                let path = format!("{}.{}.{}", file.package(), message.name(), field.name());
                let always = match field.r#type() {
                    Type::Bytes => false,
                    Type::Message => VALUES.contains(&path.as_str()),
                    _ => !POINTERS.contains(&path.as_str()),
                };
                assert_eq!(ALWAYS_WRITTEN.contains(&path.as_str()), always, "{path}");
                seen += usize::from(always);
            }
        }
    }
    assert_eq!(seen, ALWAYS_WRITTEN.len());
}

#[test]
fn every_proto_file_and_package_is_listed() {
    let root = crate::workspace_root().join("proto/proto");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(&root).expect("it lies below the root");
                found.push(below.to_str().expect("its name is ASCII").to_owned());
            }
        }
    }
    found.sort();
    assert_eq!(found, SOURCES);
    for file in descriptors().file {
        assert!(PACKAGES.iter().any(|(package, _)| *package == file.package()), "{}", file.name());
    }
}

#[test]
fn generated_names_are_readable() {
    for (path, content) in generate(&crate::workspace_root()).expect("generates") {
        // The descriptors keep the names of the .proto files.
        let Ok(text) = String::from_utf8(content) else { continue };
        for ugly in ["_ur_ls", "_i_d", "_t_t_l"] {
            assert!(!text.contains(ugly), "{} contains {ugly}", path.display());
        }
    }
}

#[test]
fn a_table_entry_that_no_file_declares_is_an_error() {
    let mut descriptors = descriptors();
    descriptors.file.retain(|file| file.package() != "raftpb");
    assert!(rewrite(&mut descriptors).is_err());
}
