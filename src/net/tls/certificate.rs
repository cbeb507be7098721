//! The fields of an X.509 certificate (RFC 5280) that decide as Node decides: names, validity,
//! issuer. Signatures and chains are webpki's work, not this file's.

use std::net::IpAddr;

/// `id-at-commonName`.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// `id-ce-subjectAltName`.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// `rsaEncryption`.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
/// Explicit tags of TBSCertificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// What is read of a certificate. Borrowed parts are DER.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// Seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// The subject's common names.
    pub(super) common_names: Vec<String>,
    pub(super) alt_names: Vec<AltName>,
    /// Size of an RSA key's modulus.
    pub(super) rsa_bits: Option<usize>,
}

/// An alternative name of the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AltName {
    Dns(String),
    Ip(IpAddr),
    /// A kind that names no host: its label and text in Node's rendering.
    Other(&'static str, String),
}

impl<'a> Certificate<'a> {
    /// Reads a certificate; `None` if it is not DER of the shape RFC 5280 gives.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut tbs = Reader(Reader(Reader(der).take(SEQUENCE)?).take(SEQUENCE)?);
        tbs.take_if(VERSION);
        tbs.take(INTEGER)?;
        tbs.take(SEQUENCE)?;
        let issuer = tbs.take(SEQUENCE)?;
        let mut validity = Reader(tbs.take(SEQUENCE)?);
        let (not_before, not_after) = (time(validity.any()?)?, time(validity.any()?)?);
        let subject = tbs.take(SEQUENCE)?;
        let rsa_bits = rsa_bits(tbs.take(SEQUENCE)?);
        let mut alt_names = Vec::new();
        while let Some((tag, value)) = tbs.any() {
            if tag == EXTENSIONS {
                alt_names = extension_names(value)?;
            }
        }
        let common_names = common_names(subject)?;
        Some(Self { issuer, subject, not_before, not_after, common_names, alt_names, rsa_bits })
    }

    /// Issuer and subject are the same name.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

/// Reads DER values one after the other. Lengths that do not fit end it.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value and its tag.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let octets = usize::from(first & 0x7f);
            // Four octets are 4 GiB; zero would be BER's indefinite form.
            if !(1..=4).contains(&octets) {
                return None;
            }
            let (digits, after) = rest.split_at_checked(octets)?;
            length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            rest = after;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The next value, which has to have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.any().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// The next value if it has this tag.
    fn take_if(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.take(tag) } else { None }
    }
}

/// Common names in a Name: a sequence of sets of attributes.
fn common_names(name: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut name = Reader(name);
    while let Some((_, set)) = name.any() {
        let mut set = Reader(set);
        while let Some((_, attribute)) = set.any() {
            let mut attribute = Reader(attribute);
            if attribute.take(OID)? == COMMON_NAME {
                let (tag, text) = attribute.any()?;
                found.push(string(tag, text));
            }
        }
    }
    Some(found)
}

fn extension_names(extensions: &[u8]) -> Option<Vec<AltName>> {
    let mut list = Reader(Reader(extensions).take(SEQUENCE)?);
    while let Some((_, extension)) = list.any() {
        let mut extension = Reader(extension);
        if extension.take(OID)? == SUBJECT_ALT_NAME {
            // `critical` may stand between.
            let mut value = extension.any()?;
            if let Some(next) = extension.any() {
                value = next;
            }
            let mut names = Reader(Reader(value.1).take(SEQUENCE)?);
            return Some(std::iter::from_fn(|| names.any()).map(|(tag, name)| alt_name(tag, name)).collect());
        }
    }
    Some(Vec::new())
}

/// A GeneralName by its context tag.
fn alt_name(tag: u8, value: &[u8]) -> AltName {
    let text = || latin1(value);
    match tag & 0x1f {
        1 => AltName::Other("email", text()),
        2 => AltName::Dns(text()),
        4 => AltName::Other("DirName", "<unsupported>".to_owned()),
        6 => AltName::Other("URI", text()),
        7 => {
            let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from));
            address.map_or_else(|_| AltName::Other("IP Address", "<invalid>".to_owned()), AltName::Ip)
        }
        8 => AltName::Other("Registered ID", "<unsupported>".to_owned()),
        _ => AltName::Other("othername", "<unsupported>".to_owned()),
    }
}

fn string(tag: u8, value: &[u8]) -> String {
    if tag == BMP_STRING {
        let units =
            value.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)));
        return String::from_utf16_lossy(&units.collect::<Vec<_>>());
    }
    std::str::from_utf8(value).map_or_else(|_| latin1(value), str::to_owned)
}

fn latin1(value: &[u8]) -> String {
    value.iter().map(|byte| char::from(*byte)).collect()
}

/// Modulus size of an RSA key in a SubjectPublicKeyInfo.
fn rsa_bits(info: &[u8]) -> Option<usize> {
    let mut info = Reader(info);
    let mut algorithm = Reader(info.take(SEQUENCE)?);
    if algorithm.take(OID)? != RSA {
        return None;
    }
    // A bit string with no unused bits, holding the key.
    let (_, key) = info.any()?.1.split_first()?;
    let modulus = Reader(Reader(key).take(SEQUENCE)?).take(INTEGER)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros)?;
    Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280, section 4.1.2.5) in seconds since 1970.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let (year_digits, century) = match tag {
        UTC_TIME => (2, None),
        GENERALIZED_TIME => (4, Some(0)),
        _ => return None,
    };
    let digits = text.strip_suffix(b"Z")?;
    if digits.len() != year_digits + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |part: &[u8]| part.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let (year, rest) = digits.split_at(year_digits);
    let year = number(year);
    let year = year + century.unwrap_or(if year < 50 { 2000 } else { 1900 });
    let mut parts = rest.chunks_exact(2).map(number);
    let mut part = || parts.next();
    let days = days_since_1970(year, part()?, part()?);
    Some(((days * 24 + part()?) * 60 + part()?) * 60 + part()?)
}

/// Days between 1970-01-01 and a date of the Gregorian calendar, counting years from March so that
/// the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    365 * year + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn der(edit: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        edit(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn names_and_validity_are_read() {
        let der = der(|params| {
            params.distinguished_name.push(DnType::CommonName, "cn.example");
            params.subject_alt_names = vec![
                SanType::DnsName("a.example".try_into().unwrap()),
                SanType::IpAddress("10.0.0.1".parse().unwrap()),
                SanType::IpAddress("2001:db8::1".parse().unwrap()),
                SanType::Rfc822Name("a@b.example".try_into().unwrap()),
                SanType::URI("https://a.example/".try_into().unwrap()),
            ];
            params.not_before = rcgen::date_time_ymd(1999, 12, 31);
            params.not_after = rcgen::date_time_ymd(2096, 2, 29);
        });
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!(certificate.common_names, ["cn.example"]);
        assert_eq!(
            certificate.alt_names,
            [
                AltName::Dns("a.example".to_owned()),
                AltName::Ip("10.0.0.1".parse().unwrap()),
                AltName::Ip("2001:db8::1".parse().unwrap()),
                AltName::Other("email", "a@b.example".to_owned()),
                AltName::Other("URI", "https://a.example/".to_owned()),
            ]
        );
        assert_eq!((certificate.not_before, certificate.not_after), (946_598_400, 3_981_312_000));
        assert!(certificate.is_self_issued());
        assert_eq!(certificate.rsa_bits, None);
    }

    #[test]
    fn times_of_both_forms_are_seconds_since_1970() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, "500101000000Z", Some(-631_152_000)),
            (GENERALIZED_TIME, "20000229120000Z", Some(951_825_600)),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (UTC_TIME, "7001010000Z", None),
            (UTC_TIME, "700101000000+0000", None),
            (GENERALIZED_TIME, "2000022912000xZ", None),
            (INTEGER, "700101000000Z", None),
        ] {
            assert_eq!(time((tag, text.as_bytes())), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_damage_is_survived(position in 0..400_usize, byte: u8, cut in 0..400_usize) {
            let mut damaged = der(|params| params.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())]);
            if let Some(target) = damaged.get_mut(position) {
                *target = byte;
            }
            let _ = Certificate::parse(&damaged);
            let _ = Certificate::parse(damaged.get(..cut).unwrap_or_default());
        }

        #[test]
        fn noise_is_no_certificate(noise: Vec<u8>) {
            prop_assert!(Certificate::parse(&noise).is_none());
        }
    }
}
