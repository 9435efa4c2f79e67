use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

const HOUR: Duration = Duration::from_secs(3600);

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
    bytes.extend(payload);
    bytes
}

fn ping() -> Vec<u8> {
    frame(PING, 0, 0, &[7; 8])
}

fn goaway(last_stream: u8) -> Vec<u8> {
    let mut payload = vec![0, 0, 0, last_stream, 0, 0, 0, 11];
    payload.extend(b"too_many_pings");
    frame(GOAWAY, 0, 0, &payload)
}

struct Both {
    client: DuplexStream,
    server: Policed<DuplexStream>,
}

impl Both {
    async fn new(between_min: Duration) -> Both {
        let (client, server) = duplex(4096);
        let mut both = Both { client, server: Policed::new(server, between_min) };
        assert!(both.says(PREFACE).await);
        both
    }

    /// The client says this; whether the server hears it.
    async fn says(&mut self, bytes: &[u8]) -> bool {
        self.client.write_all(bytes).await.unwrap();
        let mut heard = vec![0; bytes.len()];
        match self.server.read_exact(&mut heard).await {
            Ok(_) => {
                assert_eq!(heard, bytes);
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                false
            }
        }
    }

    async fn is_told(&mut self, bytes: &[u8]) {
        let mut heard = Vec::new();
        self.client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, bytes);
    }
}

#[tokio::test]
async fn a_client_without_calls_may_not_go_on_pinging() {
    let mut both = Both::new(Duration::ZERO).await;
    for number in 0..3 {
        assert!(both.says(&ping()).await, "{number}");
        assert!(both.says(&frame(PING, ACK, 0, &[0; 8])).await, "an answer is no ping");
    }
    assert!(!both.says(&ping()).await);
    both.is_told(&goaway(0)).await;
    let refused = both.server.write(b"x").await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn a_client_with_calls_may_ping_as_often_as_it_is_told() {
    let mut both = Both::new(Duration::ZERO).await;
    assert!(both.says(&frame(HEADERS, 0, 1, b"head")).await);
    for _ in 0..100 {
        assert!(both.says(&ping()).await);
    }
    // The call ends; from now on it has none.
    both.server.write_all(&frame(HEADERS, END_STREAM, 1, b"end")).await.unwrap();
    for _ in 0..3 {
        assert!(both.says(&ping()).await, "the first one after an answer is free");
    }
    assert!(!both.says(&ping()).await);

    let mut both = Both::new(HOUR).await;
    assert!(both.says(&frame(HEADERS, 0, 3, b"head")).await);
    for _ in 0..3 {
        assert!(both.says(&ping()).await);
    }
    assert!(!both.says(&ping()).await);
    both.is_told(&goaway(3)).await;
}

#[tokio::test]
async fn a_ping_behind_an_answer_is_free() {
    let mut both = Both::new(HOUR).await;
    assert!(both.says(&frame(HEADERS, 0, 1, b"head")).await);
    for _ in 0..10 {
        for _ in 0..2 {
            assert!(both.says(&ping()).await);
        }
        both.server.write_all(&frame(DATA, 0, 1, b"data")).await.unwrap();
    }
}

#[tokio::test]
async fn no_frame_is_cut_in_two() {
    let mut both = Both::new(HOUR).await;
    const SETTINGS: u8 = 4;
    let answer = frame(SETTINGS, 0, 0, b"six by");
    let (half, rest) = answer.split_at(11);
    for _ in 0..3 {
        assert!(both.says(&ping()).await);
    }
    both.server.write_all(half).await.unwrap();
    assert!(both.says(&ping()).await, "the end must wait for the frame's");
    both.server.write_all(rest).await.unwrap();
    assert!(both.server.write(b"more").await.is_err());
    both.is_told(&[answer, goaway(0)].concat()).await;
}

#[tokio::test]
async fn frames_are_found_in_any_pieces() {
    let bytes = [frame(HEADERS, 4, 5, &[9; 30]), ping(), frame(DATA, 1, 5, &[]), ping()].concat();
    for piece in 1..40 {
        let (mut scan, mut found) = (Scan::default(), Vec::new());
        for part in bytes.chunks(piece) {
            scan.look(part, |frame| found.push((frame.kind, frame.flags, frame.stream)));
        }
        assert_eq!(found, [(HEADERS, 4, 5), (PING, 0, 0), (DATA, 1, 5), (PING, 0, 0)]);
        assert!(scan.is_between_frames());
    }
}

#[tokio::test]
async fn what_is_not_http_2_is_let_through() {
    let (client, server) = duplex(4096);
    let mut both = Both { client, server: Policed::new(server, HOUR) };
    assert!(both.says(b"PRI HTTP/1.1\r\n").await);
    for _ in 0..10 {
        assert!(both.says(&ping()).await);
    }
}
