//! What e-mail promises, shown from outside: golden readings, the way there and back, and real mail.

mod compose;
mod corpora;
mod machines;
mod normalize;
mod relay;

/// Mails as they arrive, with what each shows.
pub(super) const SAMPLES: [(&str, &[u8]); 9] = [
    ("plain", include_bytes!("../samples/plain.eml")),
    ("reply", include_bytes!("../samples/reply.eml")),
    ("html_only", include_bytes!("../samples/html_only.eml")),
    ("japanese", include_bytes!("../samples/japanese.eml")),
    ("attachments", include_bytes!("../samples/attachments.eml")),
    ("bounce", include_bytes!("../samples/bounce.eml")),
    ("complaint", include_bytes!("../samples/complaint.eml")),
    ("auto_reply", include_bytes!("../samples/auto_reply.eml")),
    ("bare_minimum", include_bytes!("../samples/bare_minimum.eml")),
];

const NO_SENDER: &[u8] = include_bytes!("../samples/no_sender.eml");
