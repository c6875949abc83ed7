//! A call whose backend dies in the middle of a reply.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use antiphon::backend::Backend;
use antiphon::backend::relief::Relief;
use antiphon::backend::scripted::{Scripted, ScriptedSettings};
use antiphon_loopback::{Codec, Happened, Sockets};

use crate::agent::{Desk, READY};

const FRAIL: &str =
    "{greeting: [{text: One moment}, {tone: {hz: 300, ms: 600}}, {drop: true}], turns: [{}]}";
const STEADY: &str = "{turns: [{reply: [{text: Here I am}, {tone: {hz: 440, ms: 5000}}]}]}";

#[tokio::test]
async fn the_caller_hears_the_next_backend_go_on() {
    let folder = std::env::temp_dir().join(format!("antiphon-relief-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder is writable");
    let backends = [("frail", FRAIL), ("steady", STEADY)].map(|it| scripted(&folder, it));
    fs::remove_dir_all(&folder).expect("it was made");
    let [frail, steady] = backends;
    let mut desk = Desk::new();
    desk.backend = Some(Relief::new(frail, vec![steady]));
    let (mut caller, call) = desk.connected(Codec::Opus, Sockets::Udp).await;
    caller.until(|it| matches!(it, Happened::ChannelOpen)).await;
    caller.send_text(READY).await;
    caller.text_with("One moment").await;
    caller.text_with("bot-stopped-speaking").await;
    caller.text_with("Here I am").await;
    caller.text_with("bot-started-speaking").await;
    assert!(!caller.next_rtp().await.payload.is_empty());
    assert!(call.handle.stats().await.is_some(), "the call goes on");
}

fn scripted(folder: &Path, (name, text): (&str, &str)) -> Arc<dyn Backend> {
    let script = folder.join(format!("{name}.yaml"));
    fs::write(&script, text).expect("the folder is writable");
    Arc::new(Scripted::new(&ScriptedSettings { script }).expect("it is right"))
}
