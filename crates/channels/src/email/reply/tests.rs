use proptest::prelude::*;

use super::*;

fn check(body: &str, expected: &str) {
    assert_eq!(new_part(body, &[]), expected, "{body}");
}

#[test]
fn programs_introduce_history_in_their_own_words() {
    for line in [
        "On Tue, 3 Mar 2026 at 09:41, Ana <a@x.test> wrote:",
        "On Tue, Mar 3, 2026 at 9:41 AM Ana Silva via Shop <a@x.test> wrote:",
        "On Tue, 3 Mar 2026 at 09:41, Somebody With A Long Name <\n4711somebody@x.test>\nwrote:",
        "On 2026-03-03 09:41, Ana wrote:",
        "On 03/03/26 09:41, Ana wrote:",
        "---- On Tue, 03 Mar 2026 09:41:00 +0100 Ana <a@x.test> wrote ----",
        "At 2026-03-03 09:41:00, \"Ana\" <a@x.test> wrote:",
        "Am 03.03.2026 um 09:41 schrieb Ana <a@x.test>:",
        "Am Di., 3. März 2026 um 09:41 Uhr schrieb Ana <\na@x.test>:",
        "Am Dienstag, 3. März 2026 um 09:41:00 MEZ hat Ana <a@x.test> Folgendes geschrieben:",
        "Ana <a@x.test> schrieb am Di., 3. März 2026,\n09:41:",
        "Le mar. 3 mars 2026 à 09:41, Ana <a@x.test> a écrit :",
        "Le 03/03/2026 à 09:41, Ana a écrit :",
        "El mar, 3 mar 2026 a las 9:41, Ana (<a@x.test>) escribió:",
        "El martes, 3 de marzo de 2026 09:41:00 CET, Ana <a@x.test> escribió:",
        "Il giorno mar 3 mar 2026 alle ore 09:41 Ana <a@x.test> ha\nscritto:",
        "Il 03/03/2026 09:41, Ana ha scritto:",
        "Em ter., 3 de mar. de 2026 às 09:41, Ana <a@x.test> escreveu:",
        "Ana <a@x.test> escreveu no dia terça, 3/03/2026 à(s) 09:41:",
        "Op di 3 mrt 2026 om 09:41 schreef Ana <a@x.test>:",
        "Op 3 mrt. 2026, om 09:41 heeft Ana <a@x.test> het volgende geschreven:",
        "wt., 3 mar 2026 o 09:41 Ana <a@x.test> napisał(a):",
        "W dniu 03.03.2026 o 09:41, Ana pisze:",
        "Wiadomość napisana przez Ana <a@x.test> w dniu 3 mar 2026, o godz. 09:41:",
        "вт, 3 мар. 2026 г. в 09:41, Ana <a@x.test>:",
        "03.03.2026 09:41, Ana пишет:",
        "Вторник, 3 марта 2026, 9:41 +03:00 от Ana <a@x.test>:",
        "3 марта 2026 г., в 9:41, Ana <a@x.test> написал(а):",
        "вт, 3 бер. 2026 р. о 09:41 Ana <a@x.test> пише:",
        "Den tis 3 mars 2026 kl 09:41 skrev Ana <a@x.test>:",
        "3 mars 2026 kl. 09:41 skrev Ana <a@x.test>:",
        "Den tirs. 3. mar. 2026 kl. 09.41 skrev Ana <a@x.test>:",
        "tir. 3. mar. 2026 kl. 09:41 skrev Ana <a@x.test>:",
        "ti 3. maalisk. 2026 klo 9.41 Ana (a@x.test) kirjoitti:",
        "út 3. 3. 2026 v 9:41 odesílatel Ana <a@x.test> napsal:",
        "Dne 3.3.2026 v 9:41 Ana napsal(a):",
        "ut 3. 3. 2026 o 9:41 Ana <a@x.test> napísal(a):",
        "Ana <a@x.test> ezt írta (időpont: 2026. márc. 3., K, 9:41):",
        "În mar., 3 mar. 2026 la 09:41, Ana <a@x.test> a scris:",
        "Στις Τρί 3 Μαρ 2026 στις 9:41 π.μ., ο/η Ana <a@x.test> έγραψε:",
        "uto, 3. ožu 2026. u 09:41 Ana <a@x.test> napisao je:",
        "Ana <a@x.test>, 3 Mar 2026 Sal, 09:41 tarihinde şunu yazdı:",
        "03.03.2026 09:41 tarihinde Ana yazdı:",
        "Vào Th 3, 3 thg 3, 2026 vào lúc 09:41 Ana <a@x.test> đã viết:",
        "เมื่อ อ. 3 มี.ค. 2026 เวลา 09:41 Ana <a@x.test> เขียนว่า:",
        "ในวันที่ อ. 3 มี.ค. 2569 เวลา 09:41 Ana <a@x.test> เขียนว่า:",
        "في ثلاثاء، 3 مارس 2026 في 9:41 م تمت كتابة ما يلي بواسطة Ana <a@x.test>:",
        "في الثلاثاء، 3 مارس 2026 في 9:41 ص Ana <a@x.test> كتب:",
        "\u{202b}בתאריך יום ג׳, 3 במרץ 2026 ב-9:41 מאת \u{202a}Ana\u{202c} <\u{202a}a@x.test\u{202c}>:\u{202c}",
        "Pada tanggal Sel, 3 Mar 2026 pukul 09.41 Ana <a@x.test> menulis:",
        "मंगल, 3 मार्च 2026 को 9:41 am बजे को Ana <a@x.test> ने लिखा:",
        "2026年3月3日(火) 9:41 Ana <a@x.test>:",
        "2026/03/03 9:41、Ana <a@x.test>のメール:",
        "2026년 3월 3일 (화) 오전 9:41, Ana <a@x.test>님이 작성:",
        "2026. 3. 3. 오전 9:41, Ana <a@x.test> 작성:",
        "Ana <a@x.test> 于2026年3月3日周二 09:41写道：",
        "在 2026年3月3日，上午9:41，Ana <a@x.test> 写道：",
        "Ana <a@x.test> 於 2026年3月3日 週二 上午9:41寫道：",
    ] {
        check(&format!("Answer.\n\n{line}\n\n> old\n> words\n"), "Answer.");
        check(&format!("Answer.\n\n{line}\n\nold\nwords\n"), "Answer.");
        check(&format!("Answer.\n{line}\n> old\n"), "Answer.");
        check(&format!("{line}\n> old words\n\nAnswer.\n"), "Answer.");
    }
}

#[test]
fn separators_and_header_blocks_end_the_new_part() {
    for history in [
        "-----Original Message-----\nFrom: x\n",
        "-----Ursprüngliche Nachricht-----\nVon: x\n",
        "---------- Forwarded message ---------\nold",
        "-------- Message d'origine --------\nDe : a\n",
        "\u{2010}\u{2010}\u{2010}\u{2010} Original Message \u{2010}\u{2010}\u{2010}\u{2010}\nOn Tuesday, A wrote:\n\nold",
        "------------------ 原始邮件 ------------------\n发件人: \"Ana\" <a@x.test>;\n",
        "________________________________\nFrom: Ana\nSent: Tuesday\nTo: b\nSubject: x\n",
        "*De :* Ana\n*Envoyé :* mardi\n",
        "Von: Ana <a@x.test>\nGesendet: Dienstag, 3. März 2026 09:41\nAn: b\nBetreff: AW: c\n\nold",
        "Od: Ana <a@x.test>\nWysłano: wtorek\nDo: b\nTemat: c\n\nold",
        "От: Ana <a@x.test>\nОтправлено: 3 марта\nКому: b\nТема: c\n\nold",
        "差出人: Ana\n送信日時: 2026年\n",
        "보낸 사람: Ana <a@x.test>\n보낸 날짜: 2026\n받는 사람: b\n제목: c\n\nold",
        "จาก: Ana <a@x.test>\nส่ง: วันอังคาร\nถึง: b\nเรื่อง: c\n\nold",
        "من: Ana <a@x.test>\nتم الإرسال: الثلاثاء\nإلى: b\nالموضوع: c\n\nold",
        "Kimden: Ana\nGönderilme: 3 Mart\nKime: b\nKonu: c\n\nold",
        "Từ: Ana\nĐã gửi: 3\nTới: b\nChủ đề: c\n\nold",
        "Begin forwarded message:\n\nold",
        "##- Please type your reply above this line -##\nold",
    ] {
        check(&format!("Answer.\n\n{history}"), "Answer.");
    }
    let passed_on = "-----Original Message-----\nFrom: x\nSent: y\n\nall of it";
    check(passed_on, passed_on);
}

#[test]
fn signatures_are_left_out() {
    check("Yes.\n\n-- \nAna\nShop Ltd\n", "Yes.");
    check("Yes.\n\nSent from my iPhone", "Yes.");
    check("Ja.\n\nVon meinem iPhone gesendet", "Ja.");
    check("-- \nAna", "-- \nAna");
    check("On 3 Mar 2026, A <a@x.test> wrote:\n\n    an old line\n\nYes.\n", "    an old line\n\nYes.");
    check("Hi\n\nOn 3 Mar 2026 at 10:05 A B\n\n<\nmailto:A B <a@x.test>\n> wrote:\n\nold", "Hi");
    check("Hi\n\nDate: Wed, 16 May 2012 00:15:02 -0600\nTo: a@x.test\n\nold", "Hi");
    check("On 3 Mar 2026, A <a@x.test> wrote:\n> q\n\nYes.\n\n-- \nAna\n", "Yes.");
}

#[test]
fn answers_between_quotes_keep_what_they_answer() {
    check(
        "On 3 Mar 2026, A <a@x.test> wrote:\n> When?\n\nTomorrow.\n\n> Where?\n\nHere.\n",
        "> When?\n\nTomorrow.\n\n> Where?\n\nHere.",
    );
    check(
        "Hi!\n\nOn 3 Mar 2026, A <a@x.test> wrote:\n> When?\nTomorrow.\n> Where?\nHere.\n> Bye\n",
        "Hi!\n\n> When?\nTomorrow.\n> Where?\nHere.",
    );
    check("See:\n\n> a line\n\nOn 3 Mar 2026, A <a@x.test> wrote:\n> old", "See:\n\n> a line");
    let unintroduced = "> a question\n\nan answer between\n\n> and another\n\nand one more";
    check(unintroduced, unintroduced);
}

#[test]
fn what_only_looks_like_history_stays() {
    for body in [
        "On Monday I wrote:\nthis stays",
        "From: the heart",
        "From: Berlin\nTo: Munich\nDate: 3 May\nPersons: 2",
        "I asked on page 5 what he wrote.\n\nNothing came.",
        "a > b\n--\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11",
        "-----\nnot a separator\n-----\nmore",
        "My address is:\n12 High Street\n\nThe time was 9:41:\n\nthanks",
        ">From now on it works.\nThanks",
    ] {
        check(body, body);
    }
}

#[test]
fn something_always_remains() {
    check("> only\n> quotes", "> only\n> quotes");
    check("On 3 Mar 2026 at 9:41, a@x.test wrote:\n> old", "On 3 Mar 2026 at 9:41, a@x.test wrote:\n> old");
    check("\r\n  \r\n", "");
    check("\r\n  indented\r\nlines\r\n", "  indented\nlines");
    check("", "");
}

#[test]
fn every_part_says_what_it_is() {
    let body =
        "Yes.\n\n-- \nAna\n\nOn 3 Mar 2026, A <a@x.test> wrote:\n> q\n\nFrom: a@x.test\nSubject: b\n\nold\n";
    let kinds: Vec<PartKind> = parts(body).into_iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [PartKind::New, PartKind::Signature, PartKind::Quote, PartKind::History]);
}

/// Lines that mean something here.
const LINES: &[&str] = &[
    "Hello",
    "> quoted",
    ">> more",
    "",
    " ",
    "-- ",
    "--",
    "____________",
    "On 3 Mar 2026 at 9:41, A <a@x.test> wrote:",
    "On 3 Mar 2026 at 9:41, A <",
    "a@x.test> wrote:",
    "Am 3. März 2026 schrieb A:",
    "-----Original Message-----",
    "From: a@x.test",
    "Sent: now",
    "Subject: b",
    "bla--- On 3 Mar 2026, a@x.test wrote:",
    "Sent from my iPhone",
    "Best regards,",
    "Ana",
    "Tel. +44 20 7946 0000",
    "a@x.test",
    "\u{200f}",
    "é:",
    "写道：",
    "(http://x.test) >",
    "|",
    "This e-mail and any attachments are confidential and intended solely for the addressee.",
    "İ:",
    "\u{0}",
    "2026年",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_parts_are_the_text(
        picked in proptest::collection::vec((prop::sample::select(LINES), prop::sample::select(vec!["\n", "\r\n"])), 0..40),
        marks in proptest::collection::vec((0usize..400, 0usize..60), 0..3),
    ) {
        let body: String = picked.iter().flat_map(|(line, end)| [*line, *end]).collect();
        let marks: Vec<_> = marks.into_iter().map(|(at, length)| at..at + length).collect();
        let parts = parts_between(&body, &marks);
        let whole: String = parts.iter().map(|part| part.text).collect();
        prop_assert_eq!(&whole, &body);
        prop_assert!(parts.windows(2).all(|pair| pair[0].kind != pair[1].kind), "parts of a kind are one");
        prop_assert_eq!(new_part(&body, &marks).trim().is_empty(), body.trim().is_empty(), "the new part is lost");
    }

    #[test]
    fn any_text_has_parts(body in "\\PC{0,200}") {
        let whole: String = parts(&body).iter().map(|part| part.text).collect();
        prop_assert_eq!(whole, body);
    }
}
