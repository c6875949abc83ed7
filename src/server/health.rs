//! Asks a running server whether it is well; what a container's health check calls.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(3);

/// Requests `http://HOST:PORT/PATH` and says whether it answered 200, and if not, what instead.
pub async fn check(url: &str) -> Result<(), String> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| format!("'{url}' does not begin with http://"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let status_line = tokio::time::timeout(PATIENCE, status_line(authority, path))
        .await
        .map_err(|_elapsed| format!("{url} did not answer within {PATIENCE:?}"))?
        .map_err(|error| format!("{url}: {error}"))?;
    match status_line.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("{url} answered '{}'", status_line.escape_default())),
    }
}

async fn status_line(authority: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::with_capacity(256);
    stream.take(256).read_to_end(&mut head).await?;
    let text = String::from_utf8_lossy(&head);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
