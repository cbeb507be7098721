//! Whether a certificate names the server: the rules and words of Node's `checkServerIdentity`.

use std::net::IpAddr;

use super::certificate::{AltName, Certificate};

/// Checks that `certificate` names `server`; the error is the reason, in Node's words.
pub(super) fn check(server: &str, certificate: &Certificate<'_>) -> Result<(), String> {
    let host = server.strip_suffix('.').unwrap_or(server);
    if let Ok(address) = host.parse() {
        return check_address(host, address, certificate);
    }
    let mut dns_names = certificate.alt_names.iter().filter_map(dns_name).peekable();
    if dns_names.peek().is_some() {
        if dns_names.any(|pattern| names(pattern, host)) {
            return Ok(());
        }
        return Err(format!(
            "Host: {host}. is not in the cert's altnames: {}",
            listed(&certificate.alt_names)
        ));
    }
    // The common name counts only where there is no DNS name (RFC 6125, section 6.4.4).
    if certificate.common_names.is_empty() {
        return Err("Cert does not contain a DNS name".to_owned());
    }
    if certificate.common_names.iter().any(|pattern| names(pattern, host)) {
        return Ok(());
    }
    Err(format!("Host: {host}. is not cert's CN: {}", certificate.common_names.join(",")))
}

fn check_address(host: &str, address: IpAddr, certificate: &Certificate<'_>) -> Result<(), String> {
    let addresses = || certificate.alt_names.iter().filter_map(ip_address);
    if addresses().any(|known| known == address) {
        return Ok(());
    }
    let known: Vec<String> = addresses().map(|known| known.to_string()).collect();
    Err(format!("IP: {host} is not in the cert's list: {}", known.join(", ")))
}

fn dns_name(name: &AltName) -> Option<&str> {
    if let AltName::Dns(name) = name { Some(name) } else { None }
}

fn ip_address(name: &AltName) -> Option<IpAddr> {
    if let AltName::Ip(address) = name { Some(*address) } else { None }
}

/// The alternative names as Node lists them.
fn listed(names: &[AltName]) -> String {
    let one = |name: &AltName| match name {
        AltName::Dns(name) => format!("DNS:{name}"),
        AltName::Ip(address) => format!("IP Address:{address}"),
        AltName::Other(kind, text) => format!("{kind}:{text}"),
    };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Whether `pattern` stands for `host`. A wildcard is one `*` in the leftmost label, stands for a
/// part of that label only, and needs two more labels after it.
fn names(pattern: &str, host: &str) -> bool {
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern).to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    // An empty label, a blank, a control or an undecoded character: nothing good comes of those.
    if pattern.split('.').any(str::is_empty) || !pattern.bytes().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    let (pattern_first, pattern_rest) = pattern.split_once('.').unwrap_or((&pattern, ""));
    let (host_first, host_rest) = host.split_once('.').unwrap_or((&host, ""));
    if pattern_rest != host_rest {
        return false;
    }
    match pattern_first.split_once('*') {
        // An internationalised label is compared as it is (RFC 6125, section 7.2).
        None => pattern_first == host_first,
        Some(_) if pattern_first.contains("xn--") => pattern_first == host_first,
        Some((before, after)) => {
            !after.contains('*')
                && pattern_rest.contains('.')
                && host_first.len() >= before.len() + after.len()
                && host_first.starts_with(before)
                && host_first.ends_with(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_what_it_names_in_node() {
        for (pattern, host, expected) in [
            ("a.example", "a.example", true),
            ("A.Example", "a.eXample", true),
            ("a.example.", "a.example", true),
            ("a.example", "b.example", false),
            ("a.example", "a.b.example", false),
            ("*.a.example", "x.a.example", true),
            ("*.a.example", "a.example", false),
            ("*.a.example", "x.y.a.example", false),
            ("m*l.a.example", "mail.a.example", true),
            ("m*l.a.example", "ml.a.example", true),
            ("m*l.a.example", "m.a.example", false),
            ("*a*.a.example", "bab.a.example", false),
            ("*.example", "a.example", false),
            ("*", "a", false),
            ("x.*.example", "x.a.example", false),
            ("xn--*.a.example", "xn--x.a.example", false),
            ("a..example", "a..example", false),
            ("", "", false),
            ("a b.example", "a b.example", false),
            ("\u{fc}.example", "\u{fc}.example", false),
        ] {
            assert_eq!(names(pattern, host), expected, "{pattern} for {host}");
        }
    }

    fn certificate(common_names: &[&str], alt_names: &[AltName]) -> Certificate<'static> {
        Certificate {
            issuer: &[],
            subject: &[],
            not_before: 0,
            not_after: 0,
            common_names: common_names.iter().map(|&name| name.to_owned()).collect(),
            alt_names: alt_names.to_vec(),
            rsa_bits: None,
        }
    }

    fn dns(name: &str) -> AltName {
        AltName::Dns(name.to_owned())
    }

    #[test]
    fn the_common_name_counts_only_without_a_dns_name() {
        let ip = &[AltName::Ip("10.0.0.1".parse().unwrap())];
        for (server, common_names, alt_names, reason) in [
            ("a.example", &["a.example"][..], &[][..], None),
            ("a.example.", &["b.example", "a.example"], &[], None),
            ("a.example", &["a.example"], ip, None),
            ("10.0.0.1", &[], ip, None),
            (
                "a.example",
                &["a.example"],
                &[dns("b.example"), ip[0].clone()],
                Some("Host: a.example. is not in the cert's altnames: DNS:b.example, IP Address:10.0.0.1"),
            ),
            ("a.example", &["b.example"], &[], Some("Host: a.example. is not cert's CN: b.example")),
            ("a.example", &[], ip, Some("Cert does not contain a DNS name")),
            ("10.0.0.2", &["10.0.0.2"], ip, Some("IP: 10.0.0.2 is not in the cert's list: 10.0.0.1")),
            ("10.0.0.2", &["10.0.0.2"], &[], Some("IP: 10.0.0.2 is not in the cert's list: ")),
        ] {
            let outcome = check(server, &certificate(common_names, alt_names));
            assert_eq!(outcome.err().as_deref(), reason, "{server}");
        }
    }

    #[test]
    fn an_ip_address_matches_in_any_spelling() {
        let known = AltName::Ip("2001:db8::1".parse().unwrap());
        assert!(check("2001:0DB8:0:0::1", &certificate(&[], &[known])).is_ok());
    }
}
