//! Mail that a machine wrote: by what its headers say (RFC 3834 section 5, and what was used before it), and by the
//! first words of its subject where they say nothing.

use mail_parser::MimeHeaders;

use crate::email::mime::Parsed;

/// Starts of the subjects of automatic answers; a colon, the end or a space follows.
const ANSWERS: &str = "automatic reply|auto reply|auto-reply|autoreply|auto response|auto-response|autoresponse|\
    autoresponder|automatic response|out of office|out of the office|out-of-office|auto:|vacation reply|\
    away from office|away from my mail|on vacation|i am out of the office|i'm out of the office|\
    automatische antwort|abwesenheitsnotiz|automatische rückantwort|abwesenheitsnachricht|abwesend|\
    réponse automatique|absence du bureau|message d'absence|absent du bureau|\
    respuesta automática|respuesta automatica|fuera de la oficina|ausente de la oficina|\
    risposta automatica|fuori sede|fuori ufficio|resposta automática|resposta automatica|ausência temporária|\
    automatisch antwoord|afwezigheidsbericht|afwezig|odpowiedź automatyczna|automatyczna odpowiedź|poza biurem|\
    автоответ|автоматический ответ|автоматична відповідь|автовідповідь|autosvar|automatiskt svar|\
    automatisk svar|frånvaromeddelande|fraværsmelding|automaattinen vastaus|poissaoloviesti|\
    automatická odpověď|automatická odpoveď|automatikus válasz|răspuns automat|αυτόματη απάντηση|\
    otomatik yanıt|otomatik cevap|自動応答|自動返信|不在通知|不在のお知らせ|自动回复|自動回覆|自动答复|自動回復|\
    자동 회신|자동 응답|자동회신|자동응답|부재중|ตอบกลับอัตโนมัติ|การตอบกลับอัตโนมัติ|trả lời tự động|\
    رد تلقائي|الرد التلقائي|תשובה אוטומטית|מענה אוטומטי|balasan otomatis|jawapan automatik|automatski odgovor|\
    samodejni odgovor|автоматичен отговор";

/// Why a message is taken for a machine's; none for a person's.
pub(super) fn reason(mail: &Parsed<'_>) -> Option<&'static str> {
    let first_word = |name: &'static str| {
        let value = mail.raw(name)?.to_ascii_lowercase();
        Some(value.split([';', ' ', '(', ',']).next().unwrap_or_default().to_owned())
    };
    let says =
        |name: &'static str, no: &[&str]| first_word(name).is_some_and(|value| !no.contains(&value.as_str()));
    if says("Auto-Submitted", &["no"])
        || [
            "X-Autoreply",
            "X-Autorespond",
            "X-Autoresponder",
            "X-Auto-Reply",
            "X-Mail-Autoreply",
            "X-Autoreply-From",
            "X-Vacation",
        ]
        .iter()
        .any(|name| says(name, &["no"]))
        || says("X-Auto-Response-Suppress", &["none", ""])
        || first_word("X-Apple-Action").is_some_and(|value| value == "vacation")
    {
        return Some("an automatic answer");
    }
    if mail.hops() > MOST_HOPS {
        return Some("it was passed on too often: it may be going in circles");
    }
    match first_word("Precedence").as_deref() {
        Some("auto_reply" | "auto-reply") => return Some("an automatic answer"),
        Some("bulk" | "junk") => return Some("bulk mail"),
        _ => {}
    }
    if mail.line("Subject").is_some_and(|subject| is_answer(&subject)) {
        return Some("an automatic answer");
    }
    // Of a report that is no bounce and no complaint, only notices that a mail was read are left (RFC 8098).
    let kind = mail.message.content_type()?;
    (kind.ctype() == "multipart" && kind.subtype() == Some("report")).then_some("a report")
}

/// A mail is passed on from server to server this often at most (RFC 5321 section 6.3 wants 100 or more before a server
/// refuses one; none that is not going in circles comes near).
const MOST_HOPS: usize = 50;

/// Whether no machine may answer what a person seems to have written: it came over a list, or from an address at which nobody
/// reads (RFC 3834 section 2).
pub(in crate::email) fn people_only(mail: &Parsed<'_>, from: Option<&str>) -> bool {
    let list = ["List-Id", "List-Post", "List-Unsubscribe"].iter().any(|name| mail.raw(name).is_some());
    let precedence = mail.raw("Precedence").is_some_and(|value| value.eq_ignore_ascii_case("list"));
    let nobody = from.is_some_and(|from| {
        let local = from.split_once('@').map_or(from, |(local, _)| local);
        domain::policy::is_nobody(from) || local.starts_with("owner-") || local.ends_with("-request")
    });
    list || precedence || nobody
}

fn is_answer(subject: &str) -> bool {
    let subject = subject.trim_start_matches(['[', '(', ' ']).to_lowercase();
    ANSWERS.split('|').any(|start| {
        subject.strip_prefix(start).is_some_and(|rest| {
            // `Automatic reply: …`, but not `Automatic reply does not work`.
            start.ends_with(':')
                || rest.trim_start_matches([' ', ']', ')']).starts_with([':', '：', '-', '–', '|'])
                || rest.trim().is_empty()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_of_automatic_answers() {
        for subject in [
            "Automatic reply: Order",
            "Out of Office: a",
            "Automatische Antwort: x",
            "自動返信：注文",
            "Réponse automatique : x",
            "[Auto-Reply]: x",
        ] {
            assert!(is_answer(subject), "{subject}");
        }
        for subject in [
            "Automatic reply does not work",
            "Re: Automatic reply: x",
            "Your out of office",
            "Afwezigheid in mei",
        ] {
            assert!(!is_answer(subject), "{subject}");
        }
    }
}
