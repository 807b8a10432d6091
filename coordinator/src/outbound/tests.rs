use std::net::Ipv4Addr;

use proptest::prelude::*;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn networks(texts: &[&str]) -> Networks {
    serde_json::from_str(&serde_json::to_string(texts).unwrap()).unwrap()
}

/// Certificates of nobody in particular; these tests speak plain HTTP, or not at all.
fn outbound(allowed: &[&str]) -> Outbound {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("authority.pem");
    let made = rcgen::generate_simple_self_signed(vec!["sso.example".to_owned()]).unwrap();
    std::fs::write(&path, made.cert.pem()).unwrap();
    Outbound::new(&path, networks(allowed)).unwrap()
}

fn get(url: &str) -> Request<Vec<u8>> {
    Request::get(url).body(Vec::new()).unwrap()
}

/// Answers one connection with `answer`; what it was asked.
async fn server(answer: Vec<u8>) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/keys?x=1", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            asked.extend(byte);
        }
        // Whoever has enough hangs up.
        let _ = stream.write_all(&answer).await;
        String::from_utf8(asked).unwrap()
    });
    (url, asked)
}

#[tokio::test]
async fn an_answer_comes_whole_and_redirects_lead_nowhere() {
    let (url, asked) = server(
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 2\r\n\r\nno"
            .to_vec(),
    )
    .await;
    let answer = outbound(&["127.0.0.1"]).send(get(&url)).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_slice()),
        (302, &b"no"[..])
    );
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("GET /keys?x=1 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("host: 127.0.0.1:"), "{asked}");
    // Without a length, until the server hangs up.
    let (url, _) = server(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nkeys".to_vec()).await;
    let answer = outbound(&["127.0.0.1"]).send(get(&url)).await.unwrap();
    assert_eq!(answer.body(), b"keys");
}

#[tokio::test]
async fn too_much_and_half_an_answer_are_none() {
    let mut long = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    long.resize(long.len() + MAX_ANSWER + 1, b'x');
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec();
    for answer in [long, half] {
        let (url, _) = server(answer).await;
        let error = outbound(&["127.0.0.1"]).send(get(&url)).await.unwrap_err();
        assert!(matches!(error, OutboundError::Body { .. }), "{error:?}");
    }
    let (url, _) = server(b"SSH-2.0-x\r\n\r\n".to_vec()).await;
    let error = outbound(&["127.0.0.1"]).send(get(&url)).await.unwrap_err();
    assert!(matches!(error, OutboundError::Exchange { .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_inside_is_dialled_unless_it_was_named() {
    // Nobody listens on port 1, and nobody is asked.
    for url in [
        "https://127.0.0.1:1/",
        "https://[::1]:1/",
        "https://[::ffff:127.0.0.1]:1/",
        "https://0.0.0.0:1/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://[fd00::1]/",
        "https://localhost:1/",
        "http://127.0.0.1:1/",
    ] {
        let error = outbound(&[]).send(get(url)).await.unwrap_err();
        assert!(
            matches!(error, OutboundError::Refused { .. }),
            "{url}: {error:?}"
        );
    }
    // In clear nowhere but here, whatever is allowed.
    for url in ["http://10.0.0.1/", "http://192.0.2.1/"] {
        let error = outbound(&["0.0.0.0/0"]).send(get(url)).await.unwrap_err();
        assert!(
            matches!(error, OutboundError::Refused { .. }),
            "{url}: {error:?}"
        );
    }
    for url in ["ftp://127.0.0.1/", "/keys"] {
        let error = outbound(&["127.0.0.1"]).send(get(url)).await.unwrap_err();
        assert!(
            matches!(error, OutboundError::Url { .. }),
            "{url}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_server_is_asked_only_under_a_certificate_that_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("authority.pem");
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&path, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://{}/keys", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let _ = stream.read(&mut [0; 1024]).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nkeys";
            stream.write_all(answer).await.unwrap();
        }
    });
    let others = outbound(&["127.0.0.1"]);
    let error = others.send(get(&url)).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect { .. }), "{error:?}");
    let theirs = Outbound::new(&path, networks(&["127.0.0.1"])).unwrap();
    let answer = theirs.send(get(&url)).await.unwrap();
    assert_eq!(answer.body(), b"keys");
    serving.abort();
}

#[test]
fn what_is_to_be_trusted_has_to_be_there() {
    let missing = Outbound::new(Path::new("/nonexistent.pem"), Networks::default());
    assert!(matches!(missing, Err(TrustError::Read { .. })));
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty = Outbound::new(empty.path(), Networks::default());
    assert!(matches!(empty, Err(TrustError::Empty { .. })));
}

#[test]
fn special_addresses_are_not_public() {
    let public = |text: &str| ranges::is_public(text.parse().unwrap());
    for good in [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:200::1",
        "64:ff9b::101:101",
        "2002:101:101::",
    ] {
        assert!(public(good), "{good}");
    }
    for bad in [
        "0.0.0.0",
        "0.1.2.3",
        "10.255.255.255",
        "100.64.0.1",
        "127.0.0.53",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!public(bad), "{bad}");
    }
}

proptest! {
    /// However an IPv4 address is written, it is judged alike.
    #[test]
    fn an_address_in_disguise_is_judged_as_what_it_is(octets: [u8; 4]) {
        let address = Ipv4Addr::from(octets);
        let bare = ranges::is_public(address.into());
        prop_assert_eq!(ranges::is_public(address.to_ipv6_mapped().into()), bare);
        let [a, b, c, d] = octets;
        let nat64 = format!("64:ff9b::{a:02x}{b:02x}:{c:02x}{d:02x}").parse().unwrap();
        prop_assert_eq!(ranges::is_public(nat64), bare);
        let six = format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1").parse().unwrap();
        prop_assert_eq!(ranges::is_public(six), bare);
    }
}
