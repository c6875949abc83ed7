//! `Link` headers that name ICE servers (RFC 9725 §4.6).

use axum::http::HeaderValue;

use crate::port::IceServer;

/// One header value for each URL. A URL or credential that cannot be written in a header is left
/// out: the call may still work without it, and the configuration check has said so.
pub(crate) fn ice_links(servers: &[IceServer]) -> Vec<HeaderValue> {
    servers
        .iter()
        .flat_map(|server| server.urls.iter().map(move |url| (url, server)))
        .filter(|(url, _)| !url.contains(['<', '>', '"']))
        .filter_map(|(url, server)| HeaderValue::try_from(link(url, server)).ok())
        .map(|mut value| {
            value.set_sensitive(true);
            value
        })
        .collect()
}

fn link(url: &str, server: &IceServer) -> String {
    let mut link = format!("<{url}>; rel=\"ice-server\"");
    if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
        link.push_str("; username=");
        push_quoted(&mut link, username);
        link.push_str("; credential=");
        push_quoted(&mut link, credential);
        link.push_str("; credential-type=\"password\"");
    }
    link
}

/// A quoted string of RFC 9110 §5.6.4.
fn push_quoted(link: &mut String, text: &str) {
    link.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            link.push('\\');
        }
        link.push(character);
    }
    link.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_url_becomes_a_link_and_what_cannot_be_written_is_left_out() {
        let servers = [
            IceServer {
                urls: vec!["stun:a:3478".into(), "stun:<b>".into()],
                username: None,
                credential: None,
            },
            IceServer {
                urls: vec!["turn:c?transport=udp".into(), "turns:c".into()],
                username: Some("1:u".into()),
                credential: Some("p\"\\".into()),
            },
            IceServer {
                urls: vec!["turn:d".into()],
                username: Some("line\nbreak".into()),
                credential: Some(String::new()),
            },
        ];
        let expect = [
            r#"<stun:a:3478>; rel="ice-server""#,
            r#"<turn:c?transport=udp>; rel="ice-server"; username="1:u"; credential="p\"\\"; credential-type="password""#,
            r#"<turns:c>; rel="ice-server"; username="1:u"; credential="p\"\\"; credential-type="password""#,
        ];
        assert_eq!(ice_links(&servers), expect);
    }
}
