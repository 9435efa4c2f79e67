//! Following changes.

use etcd_client::{Client, Error, Event, EventType, WatchFilterType, WatchOptions, WatchStream};

use crate::Result;

/// Live, from a past revision, with the values before, filtered; many watches on one stream.
pub async fn watch(mut client: Client) -> Result {
    let mut stream = client.watch("watch/", Some(WatchOptions::new().with_prefix().with_prev_key())).await?;
    let live = created(&mut stream).await?;
    let first = client.put("watch/a", "1", None).await?.header().unwrap().revision();
    client.put("watch/a", "2", None).await?;
    client.delete("watch/a", None).await?;
    let events = next(&mut stream, 3).await?;
    let [made, changed, gone] = &events[..] else { panic!("three events: {events:?}") };
    assert_eq!((made.event_type(), made.kv().unwrap().mod_revision()), (EventType::Put, first));
    assert!(made.prev_kv().is_none());
    assert_eq!(changed.prev_kv().unwrap().value_str()?, "1");
    assert_eq!((gone.event_type(), gone.prev_kv().unwrap().value_str()?), (EventType::Delete, "2"));

    // Another watch on the same stream, with a number of our choice: only deletions, from the past.
    let past = WatchOptions::new().with_start_revision(first).with_filters([WatchFilterType::NoPut]);
    stream.watch("watch/a", Some(past.with_watch_id(17))).await?;
    assert_eq!(created(&mut stream).await?, 17);
    assert_eq!(next(&mut stream, 1).await?[0].event_type(), EventType::Delete);

    for id in [17, live] {
        stream.cancel(id).await?;
        let answer = stream.message().await?.expect("the stream is still there");
        assert!(answer.canceled() && answer.watch_id() == id);
    }

    // A watch into a past that is forgotten would be cancelled; one on the future waits.
    let later = client.get("watch/a", None).await?.header().unwrap().revision() + 2;
    stream.watch("watch/b", Some(WatchOptions::new().with_start_revision(later))).await?;
    created(&mut stream).await?;
    client.put("watch/b", "too early", None).await?;
    client.put("watch/b", "in time", None).await?;
    assert_eq!(next(&mut stream, 1).await?[0].kv().unwrap().value_str()?, "in time");
    Ok(())
}

/// Asks how far the watches of a stream are.
pub async fn progress(mut client: Client) -> Result {
    let mut stream = client.watch("progress/quiet", None).await?;
    created(&mut stream).await?;
    let now = client.put("progress/loud", "", None).await?.header().unwrap().revision();
    // A server that is not done with the creation yet lets a request pass; so it is asked until it answers.
    loop {
        stream.request_progress().await?;
        let answer = stream.message().await?.expect("the stream is still there");
        assert!(answer.events().is_empty() && !answer.canceled());
        if answer.header().unwrap().revision() >= now {
            return Ok(());
        }
    }
}

/// Waits for the answer to a creation and returns the watch's number.
async fn created(stream: &mut WatchStream) -> std::result::Result<i64, Error> {
    let answer = stream.message().await?.expect("the stream answers");
    assert!(answer.created() && !answer.canceled(), "{answer:?}");
    Ok(answer.watch_id())
}

/// Waits for the next events, however they are batched.
async fn next(stream: &mut WatchStream, count: usize) -> std::result::Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    while events.len() < count {
        let answer = stream.message().await?.expect("the stream is still there");
        events.extend(answer.events().iter().cloned());
    }
    assert_eq!(events.len(), count);
    Ok(events)
}
