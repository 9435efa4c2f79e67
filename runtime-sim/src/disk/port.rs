//! The disk as the driver sees it: every operation takes simulated time, and a dead life's operations never end.
use super::Inode;
use crate::{
    agenda::Due,
    event::{Event, Happening},
    task::answer,
    transcript::Stir,
    world::{Life, Stage, World},
};
use bytes::Bytes;
use detcd_driver::{Disk, File};
use std::{future::pending, io, sync::Arc};

#[derive(Clone)]
pub struct SimDisk {
    pub(crate) stage: Stage,
    pub(crate) life: Arc<Life>,
}

pub struct SimFile {
    disk: SimDisk,
    inode: Inode,
}

impl SimDisk {
    /// Does something to the platter at once and lets the caller wait as long as it takes. Never ends for a life
    /// that is over.
    async fn operate<T>(&self, begin: impl FnOnce(&mut World, usize) -> Option<(T, u64)>) -> T {
        let begun = self.stage.enter(|world| {
            if !world.is_alive(&self.life) {
                return None;
            }
            begin(world, self.life.member)
        });
        match begun {
            Some((result, until)) => {
                self.stage.nap_until(until).await;
                result
            }
            None => pending().await,
        }
    }

    async fn name_operation<T>(
        &self,
        what: &'static str,
        name: &str,
        change: impl FnOnce(&mut World, usize) -> T,
    ) -> T {
        self.operate(|world, member| {
            world.record(&Event::Disk { member, what, name });
            let until = world.disk_ends(member);
            Some((change(world, member), until))
        })
        .await
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    async fn open(&self, name: &str) -> io::Result<SimFile> {
        let inode =
            self.name_operation("open", name, |world, member| world.disk_mut(member).open(name)).await;
        Ok(SimFile { disk: self.clone(), inode })
    }

    async fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        Ok(self.name_operation("list", folder, |world, member| world.disk_mut(member).list(folder)).await)
    }

    async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let found = self
            .name_operation("rename", to, |world, member| {
                let found = world.disk_mut(member).rename(from, to);
                world.observe(&Happening::Renamed { member, name: to });
                found
            })
            .await;
        if found { Ok(()) } else { Err(not_found(from)) }
    }

    async fn remove(&self, name: &str) -> io::Result<()> {
        let found = self
            .name_operation("remove", name, |world, member| {
                let found = world.disk_mut(member).remove(name);
                world.observe(&Happening::Removed { member, name });
                found
            })
            .await;
        if found { Ok(()) } else { Err(not_found(name)) }
    }

    async fn sync_dir(&self, folder: &str) -> io::Result<()> {
        let (done, mut asked) = answer();
        self.operate(|world, member| {
            let (safe, told) = world.sync_ends(member);
            let (life, folder) = (self.life.clone(), folder.to_owned());
            world.add(
                safe,
                Due::Do(Box::new(move |world| {
                    if !world.is_alive(&life) {
                        return;
                    }
                    if world.disk(member).has_folder(&folder) {
                        world.record(&Event::Disk { member, what: "sync-dir", name: &folder });
                        if world.disk(member).knobs.sync_lies {
                            world.count("disk: sync lied");
                            world.disk_mut(member).lie_about_names(&folder);
                        } else {
                            world.disk_mut(member).sync_dir(&folder);
                        }
                        world.observe(&Happening::FolderSynced { member, folder: &folder });
                        done.give(Ok(()));
                    } else {
                        done.give(Err(not_found(&folder)));
                    }
                })),
            );
            Some(((), told))
        })
        .await;
        match asked.until(&self.stage, u64::MAX).await {
            Some(result) => result,
            None => pending().await,
        }
    }
}

impl File for SimFile {
    async fn len(&mut self) -> io::Result<u64> {
        let inode = self.inode;
        Ok(self.disk.operate(|world, member| Some((world.disk_mut(member).len(inode), world.now()))).await)
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        let inode = self.inode;
        let bytes = self.disk.operate(|world, member| {
            let disk = world.disk(member);
            let bytes = if disk.knobs.read_fails {
                world.record(&Event::Disk { member, what: "read-failed", name: "" });
                world.count("disk: read failed");
                Err(io::Error::other("input/output error"))
            } else {
                Ok(disk.read_at(inode, offset, len))
            };
            Some((bytes, world.disk_ends(member)))
        });
        bytes.await
    }

    async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        let (inode, life) = (self.inode, self.disk.life.clone());
        let result = self.disk.operate(|world, member| {
            let name = world.disk_mut(member).name_of(inode).unwrap_or_default().to_owned();
            world.observe(&Happening::Appending { member, name: &name, bytes: &bytes });
            if !world.is_alive(&life) {
                return None;
            }
            world.record(&Event::Append {
                member,
                file: inode,
                bytes: bytes.len() as u64,
                sum: Stir::of(&bytes),
            });
            let until = world.disk_ends(member);
            Some((world.append(member, inode, bytes), until))
        });
        let result = result.await;
        self.disk.stage.enter(|world| world.disk_mut(self.disk.life.member).appended(inode));
        result
    }

    async fn truncate(&mut self, len: u64) -> io::Result<()> {
        let (inode, life) = (self.inode, self.disk.life.clone());
        self.disk
            .operate(|world, member| {
                world.record(&Event::Disk { member, what: "truncate", name: "" });
                let shortens = len < world.disk(member).len(inode);
                world.disk_mut(member).truncate(inode, len);
                if shortens {
                    world.observe(&Happening::Truncated { member });
                }
                world.is_alive(&life).then(|| ((), world.disk_ends(member)))
            })
            .await;
        Ok(())
    }

    async fn sync(&mut self) -> io::Result<()> {
        let (inode, life) = (self.inode, self.disk.life.clone());
        let (done, mut asked) = answer();
        self.disk
            .operate(|world, member| {
                world.observe(&Happening::SyncIssued { member });
                if !world.is_alive(&life) {
                    return None;
                }
                let (safe, told) = world.sync_ends(member);
                let life = life.clone();
                world.add(
                    safe,
                    Due::Do(Box::new(move |world| {
                        if world.is_alive(&life) {
                            done.give(world.sync(member, inode));
                        }
                    })),
                );
                Some(((), told))
            })
            .await;
        match asked.until(&self.disk.stage, u64::MAX).await {
            Some(result) => result,
            None => pending().await,
        }
    }
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{name}: no such file or folder"))
}
