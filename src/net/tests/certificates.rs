//! Which certificates are taken, shown and left to others.

use super::*;

#[tokio::test]
async fn certificates_are_accepted_and_refused_as_in_node() {
    let root = Party::authority(None, "root");
    let other = Party::authority(None, "other");
    let middle = Party::authority(Some(&root), "middle");
    let leaf = Party::new(Some(&root), "leaf", named(&["mail.example", "*.wild.example", "10.0.0.1"]));
    let deep = Party::new(Some(&middle), "deep", named(&["mail.example"]));
    let by_name = Party::new(Some(&root), "mail.example", |_| {});
    let expired = Party::new(Some(&root), "expired", |params| {
        named(&["mail.example"])(params);
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let early =
        Party::new(Some(&root), "early", |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1));
    let own = Party::new(None, "own", named(&["mail.example"]));
    let own_authority = Party::authority(None, "mail.example");
    let expired_root = Party::new(None, "expired root", |params| {
        is_authority(params);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let under_expired = Party::new(Some(&expired_root), "leaf", named(&["mail.example"]));

    const OK: Option<(&str, &str)> = None;
    const NAME: &str = "ERR_TLS_CERT_ALTNAME_INVALID";
    const LEAF: Option<(&str, &str)> =
        Some(("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate"));
    let altnames = |reason: &str| format!("Hostname/IP does not match certificate's altnames: {reason}");
    let wrong_host = altnames(
        "Host: b.example. is not in the cert's altnames: DNS:mail.example, DNS:*.wild.example, IP Address:10.0.0.1",
    );
    let wrong_ip = altnames("IP: 10.0.0.2 is not in the cert's list: 10.0.0.1");
    let wrong_cn = altnames("Host: b.example. is not cert's CN: mail.example");

    type Case<'a> = (&'a Party, &'a [&'a Party], &'a [&'a Party], &'a str, Option<(&'a str, &'a str)>);
    let cases: &[Case<'_>] = &[
        (&leaf, &[], &[&root], "mail.example", OK),
        (&leaf, &[], &[&other, &root], "a.wild.example", OK),
        (&leaf, &[], &[&root], "10.0.0.1", OK),
        (&leaf, &[], &[&root], "b.example", Some((NAME, &wrong_host))),
        (&leaf, &[], &[&root], "10.0.0.2", Some((NAME, &wrong_ip))),
        (&leaf, &[], &[&other], "mail.example", LEAF),
        (&leaf, &[], &[], "mail.example", LEAF),
        (&leaf, &[], &[&leaf], "mail.example", LEAF),
        (
            &leaf,
            &[&root],
            &[&other],
            "mail.example",
            Some(("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain")),
        ),
        (&deep, &[&middle], &[&root], "mail.example", OK),
        (&deep, &[], &[&root, &middle], "mail.example", OK),
        (&deep, &[], &[&root], "mail.example", LEAF),
        (
            &deep,
            &[&middle],
            &[&other],
            "mail.example",
            Some(("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate")),
        ),
        (
            &deep,
            &[&middle],
            &[&middle],
            "mail.example",
            Some(("UNABLE_TO_GET_ISSUER_CERT", "unable to get issuer certificate")),
        ),
        (&by_name, &[], &[&root], "mail.example", OK),
        (&by_name, &[], &[&root], "b.example", Some((NAME, &wrong_cn))),
        (&expired, &[], &[&root], "mail.example", Some(("CERT_HAS_EXPIRED", "certificate has expired"))),
        (&expired, &[], &[&other], "mail.example", Some(("CERT_HAS_EXPIRED", "certificate has expired"))),
        (&early, &[], &[&root], "mail.example", Some(("CERT_NOT_YET_VALID", "certificate is not yet valid"))),
        (&own, &[], &[&own], "mail.example", OK),
        (&own_authority, &[], &[&own_authority], "mail.example", OK),
        (&own_authority, &[], &[&own_authority], "b.example", Some((NAME, &wrong_cn))),
        (
            &own,
            &[],
            &[&root],
            "mail.example",
            Some(("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate")),
        ),
        (
            &own_authority,
            &[],
            &[],
            "mail.example",
            Some(("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate")),
        ),
        (&under_expired, &[], &[&expired_root], "mail.example", LEAF),
    ];
    for (index, (party, chain, trusted, name, expected)) in cases.iter().enumerate() {
        let port = serve_tls(party.server(chain, BOTH)).await;
        let outcome = open(&target(port, name, trusting(trusted))).await;
        let failure = outcome.as_ref().err();
        assert_eq!(failure.map(reason), *expected, "case {index}");
        assert!(!failure.is_some_and(Error::is_tls_incompatible), "case {index} does not verify anywhere");
        // Whatever is wrong with it: it is taken where that was asked for.
        assert!(open(&target(port, name, unverified())).await.is_ok(), "case {index}");
    }
}

#[tokio::test]
async fn a_certificate_in_a_form_only_openssl_takes_is_left_to_another_engine() {
    let root = Party::authority(None, "root");
    let stranger = Party::authority(None, "stranger");
    // An authority as a server: fine for OpenSSL, not for webpki.
    let leaf = Party::new(Some(&root), "leaf", |params| {
        is_authority(params);
        named(&["mail.example"])(params);
    });
    let port = serve_tls(leaf.server(&[], BOTH)).await;
    let error = open(&target(port, "mail.example", trusting(&[&root]))).await.unwrap_err();
    assert!(error.is_tls_incompatible());
    // With nobody to vouch for it there is nothing to leave.
    let error = open(&target(port, "mail.example", trusting(&[&stranger]))).await.unwrap_err();
    assert_eq!(reason(&error).0, "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    assert!(!error.is_tls_incompatible());
}

#[tokio::test]
async fn a_name_that_cannot_be_announced_is_left_to_another_engine() {
    let own = Party::new(None, "own", |_| {});
    let port = serve_tls(own.server(&[], BOTH)).await;
    let error = open(&target(port, "m\u{fc}ller.example", unverified())).await.unwrap_err();
    assert_eq!(reason(&error).0, "ERR_SSL_INVALID_SERVER_NAME");
    assert!(error.is_tls_incompatible());
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let root = Party::authority(None, "root");
    let server = Party::new(Some(&root), "server", named(&["mail.example"]));
    let client = Party::new(Some(&root), "client", |_| {});
    let mut roots = RootCertStore::empty();
    roots.add(root.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let config = server_config(BOTH)
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der.clone()], server.key())
        .unwrap();
    let port = serve_tls(TlsAcceptor::from(Arc::new(config))).await;

    let cert = pem(&client);
    let shown = TlsOptions { cert, key: client.key.serialize_der(), ..trusting(&[&root]) };
    let mut stream = open(&target(port, "mail.example", shown)).await.unwrap();
    assert_eq!(greeting(&mut stream).await, GREETING);

    let mut stream = open(&target(port, "mail.example", trusting(&[&root]))).await.unwrap();
    let error = stream.read(&mut [0; 16]).await.unwrap_err();
    let error = Stream::failure(&error, "read");
    let text = "SSL routines:tlsv13 alert certificate required:SSL alert number 116";
    assert_eq!(reason(&error), ("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", text));
    assert!(!error.is_tls_incompatible());
}

#[tokio::test]
async fn trusted_certificates_are_read_from_pem_among_other_text() {
    let own = Party::new(None, "own", named(&["mail.example"]));
    let other = Party::authority(None, "other");
    let port = serve_tls(own.server(&[], BOTH)).await;
    let text = [b"# roots\n".to_vec(), pem(&other), b"between\n".to_vec(), pem(&own)].concat();
    let as_ca = TlsOptions { ca: Some(vec![b"nothing".to_vec(), text.clone()]), ..TlsOptions::default() };
    let as_roots = TlsOptions { roots: text.clone(), ..TlsOptions::default() };
    assert!(open(&target(port, "mail.example", as_ca)).await.is_ok());
    assert!(open(&target(port, "mail.example", as_roots)).await.is_ok());
    // `ca` replaces the roots, also where it is empty.
    for ca in [&[&other][..], &[]] {
        let neither = TlsOptions { roots: text.clone(), ..trusting(ca) };
        assert!(open(&target(port, "mail.example", neither)).await.is_err());
    }
}
