//! Chinese, Japanese, Korean, Thai, Vietnamese, Indonesian, Turkish, Arabic, Hebrew, Persian, Hindi.

use super::{Language, NONE};

pub(super) const LANGUAGES: &[Language] = &[
    // Chinese
    Language {
        opens: "在 |在|於 |于 |",
        said: "写道|寫道|编写|编写|撰寫|写到|来信|寫了|写了|发表|已寫入|的邮件|寫入|撰写|的来信|写道：",
        inside: "写道|寫道|撰寫",
        from: "发件人|寄件者|寄件人|發件人|发信人|寄信人|来自|自",
        telling: "发送时间|主题|主旨|寄件日期|發送時間|主題|发送日期|傳送時間|標題|标题|傳送日期|发件时间|发送于",
        fields: "收件人|收件者|抄送|日期|副本|时间|時間|回复|密送|附件|收信人|抄送人|重要性|優先順序",
        separators: "原始邮件|原始郵件|转发邮件|轉寄郵件|转发的邮件|原邮件|原始信件|轉寄的郵件|原郵件|\
            开始转发的邮件|開始轉寄郵件|转发邮件信息|轉寄信件|回复的原邮件|转发的消息|原始讯息|原始訊息|\
            回复的邮件|转发自|轉寄訊息|请在此行上方回复|下面是被转发邮件的内容",
        devices: "发自我的…|發自我的…|发自…|從我的…|從我的 … 傳送|获取 outlook…|下載 outlook…|寄自…|\
            来自我的…|取得 outlook…|下载 outlook…|從我的iphone…|從我的 iphone…|发送自…|發送自…|来自…客户端|\
            获取适用于…|取得適用於…|下载适用于…|由…手机…发送",
        farewells: "此致|敬礼|祝好|谢谢|謝謝|順頌商祺|顺祝商祺|此致敬礼|祝商祺|敬祝|祝您|敬上|謝謝您|谢谢您|\
            祝工作顺利|顺颂商祺|感谢|感謝",
        disclaimers: "本邮件及其附件|本邮件|此邮件|本郵件|此電子郵件|本電子郵件|保密声明|免责声明|本信件可能",
    },
    // Japanese
    Language {
        opens: "",
        said: "のメール|書きました|は書きました|のメッセージ|さんは書きました|が書いた|からのメール|と書きました|\
            のメッセ―ジ|書いています|さんからのメール|は次のように書きました|は書いた|様のメール",
        inside: "wrote|さんは",
        from: "差出人|送信者|送信元|発信者",
        telling: "送信日時|件名|送信日|題名|タイトル|日付",
        fields: "宛先|日時|返信先|受信者|重要度|添付ファイル|写し",
        separators: "元のメッセージ|転送されたメッセージ|オリジナルメッセージ|元のメール|転送メッセージ|\
            転送メール|元の予定|引用ここから|原文|以下、転送メール|以下引用",
        devices: "…から送信|…から送信しました|…を入手する|…で送信|…を入手|…からの送信|…より送信|\
            …を使用して送信|…から送信されました|…を入手してください",
        farewells: "よろしくお願いします|よろしくお願いいたします|宜しくお願い致します|以上|敬具|\
            宜しくお願いします|よろしくお願い致します|よろしくお願い申し上げます|宜しくお願いいたします|\
            以上、よろしくお願いいたします|草々",
        disclaimers: "本メールおよび添付|このメールは|本メールは|このメールには|本電子メール",
    },
    // Korean
    Language {
        opens: "",
        said: "님이 작성|작성|씀|님이 씀|님이 작성한 내용|님이 다음을 작성함|님이 작성함|님이 쓴 글|작성함|\
            님의 말|님이 보낸 메시지|님이 보냄",
        inside: "님이",
        from: "보낸 사람|보낸사람|발신|보낸이|발신자",
        telling: "보낸 날짜|제목|보낸날짜|보낸 시간|보냄|발송 일시|보낸시간",
        fields: "받는 사람|받는사람|참조|날짜|받는이|받은 날짜|수신|수신자|첨부|중요도",
        separators: "원본 메시지|전달된 메시지|원본 메일|전달된 메시지 시작|원본메시지|원본 메세지|\
            전달 메시지|원본메일|받은 메일|전달된 이메일|original message",
        devices: "나의 iphone…|내 iphone…|…에서 보냄|…에서 전송|…에서 보낸 …|…에서 발송|… 다운로드|\
            …을 통해 보냄|…에서 전송됨|…에서 보낸 메일|내 갤럭시에서 보냄|…에서 보낸 메시지",
        farewells: "감사합니다|고맙습니다|드림|수고하세요|감사드립니다|올림|안녕히 계세요|수고하십시오",
        disclaimers: "본 메일은|이 메일은|본 메일 및|이 전자우편은|본 이메일",
    },
    // Thai
    Language {
        opens: "เมื่อ |เมื่อ|ในวันที่ |ในวันที่|ใน |วันที่ |วันที่|",
        said: "เขียนว่า|เขียน|ได้เขียนว่า|เขียนไว้ว่า|ได้เขียน|เขียนข้อความว่า",
        inside: "เขียนว่า|เขียน",
        from: "จาก|ผู้ส่ง",
        telling: "ส่ง|เรื่อง|ส่งเมื่อ|หัวข้อ|หัวเรื่อง|วันที่ส่ง|ชื่อเรื่อง",
        fields: "วันที่|ถึง|สำเนา|สําเนา|สำเนาถึง|ตอบกลับ|เวลา|ผู้รับ|สิ่งที่ส่งมาด้วย",
        separators: "ข้อความต้นฉบับ|ข้อความที่ส่งต่อ|ข้อความเดิม|จดหมายเดิม|เริ่มต้นข้อความที่ส่งต่อ|\
            ข้อความต้นฉบับเดิม|ต้นฉบับ|ข้อความส่งต่อ|อีเมลต้นฉบับ|เริ่มข้อความที่ส่งต่อ",
        devices: "ส่งจาก…|ส่งโดย…|ดาวน์โหลด outlook …|รับ outlook …|จาก iphone ของฉัน|ส่งด้วย…|ส่งผ่าน…|\
            รับ outlook…",
        farewells: "ขอบคุณครับ|ขอบคุณค่ะ|ขอบคุณ|ขอแสดงความนับถือ|ด้วยความเคารพ|ขอบพระคุณ|ด้วยความนับถือ|\
            ขอบคุณมาก|ขอบคุณมากครับ|ขอบคุณมากค่ะ|ขอบพระคุณครับ|ขอบพระคุณค่ะ|สวัสดีครับ|สวัสดีค่ะ",
        disclaimers: "อีเมลนี้|อีเมล์นี้|ข้อความนี้เป็นความลับ|ข้อมูลในอีเมล|จดหมายอิเล็กทรอนิกส์ฉบับนี้|\
            ข้อความในอีเมล",
    },
    // Vietnamese
    Language {
        opens: "vào |lúc |ngày |trong ngày |thứ ",
        said: "đã viết|viết|đã viết như sau|đã gửi|viết như sau",
        inside: "đã viết",
        from: "từ|người gửi",
        telling: "đã gửi|chủ đề|ngày gửi|gửi|đã gửi lúc|tiêu đề|gửi lúc|gửi ngày",
        fields: "ngày|tới|đến|người nhận|cc|trả lời|bản sao|thời gian",
        separators: "thư gốc|tin nhắn gốc|thư đã chuyển tiếp|tin nhắn đã chuyển tiếp|thư được chuyển tiếp|\
            bắt đầu thư được chuyển tiếp|tin nhắn chuyển tiếp|email gốc|thư chuyển tiếp|thông điệp gốc|\
            thư ban đầu",
        devices: "được gửi từ …|đã gửi từ …|gửi từ …|tải outlook cho …|tải xuống outlook …|đã gửi bằng …|\
            lấy outlook cho …",
        farewells: "trân trọng|xin cảm ơn|cảm ơn|thân mến|thân ái|kính thư|trân trọng cảm ơn|cám ơn|\
            thân|xin trân trọng cảm ơn|best regards",
        disclaimers: "email này|thư này|thông tin trong email|thông điệp này",
    },
    // Indonesian and Malay
    Language {
        opens: "pada |",
        said: "menulis|menulis hal berikut|telah menulis|tulis",
        inside: "menulis",
        from: "dari|daripada|pengirim",
        telling: "terkirim|subjek|perihal|dikirim|dihantar|hal|judul",
        fields: "tanggal|kepada|ke|tarikh|tembusan|untuk",
        separators: "pesan asli|pesan diteruskan|pesan terusan|mesej asal|mesej dimajukan|\
            pesan yang diteruskan|mulai pesan yang diteruskan",
        devices: "dikirim dari …|dihantar dari …|dikirim melalui …|dapatkan outlook untuk …|terkirim dari …|\
            dihantar daripada …",
        farewells: "salam|terima kasih|hormat kami|salam hormat|yang ikhlas|sekian terima kasih",
        ..NONE
    },
    // Turkish
    Language {
        opens: "",
        said: "yazdı|şunu yazdı|şöyle yazdı|yazmış|şunları yazdı|yazıyor|tarihinde yazdı|tarafından yazıldı",
        inside: "tarihinde",
        from: "kimden|gönderen|from",
        telling: "gönderilme|konu|gönderildi|gönderme tarihi|gönderilme tarihi",
        fields: "tarih|kime|bilgi|alıcı|yanıtla|önem|ekler|kimlere",
        separators: "orijinal ileti|özgün ileti|iletilen mesaj|orijinal mesaj|iletilmiş mesaj|ilk mesaj|\
            iletilen ileti|özgün mesaj|yönlendirilen ileti|iletilmiş ileti başlangıcı|yönlendirilmiş ileti|\
            iletilen ileti başlangıcı",
        devices: "iphone'umdan …|ipad'imden …|…'dan gönderildi|…'den gönderildi|…dan gönderildi|\
            …den gönderildi|… edinin|… aracılığıyla gönderildi|iphone’umdan …|… gönderildi|… indirin",
        farewells: "saygılarımla|saygılar|teşekkürler|iyi çalışmalar|sevgiler|selamlar|iyi günler|\
            teşekkür ederim|kolay gelsin|saygılarımızla|şimdiden teşekkürler|teşekkür ederiz|hürmetler",
        disclaimers: "bu e-posta|bu mesaj|bu elektronik posta|bu ileti",
    },
    // Arabic
    Language {
        opens: "في |بتاريخ |يوم |",
        said: "كتب|كتبت|كتب ما يلي|كتب/كتبت|قال|كتب التالي|كتب ‏",
        inside: "كتب|كتبت|بواسطة|كتابة",
        from: "من|المرسل",
        telling: "الموضوع|تم الإرسال|مرسل|أرسلت|تاريخ الإرسال|أُرسلت|الإرسال|موضوع",
        fields: "التاريخ|إلى|نسخة|الى|نسخة إلى|تاريخ|المستلم|الرد على|المرفقات",
        separators: "الرسالة الأصلية|رسالة معاد توجيهها|الرسالة المعاد توجيهها|رسالة محولة|رسالة أصلية|\
            بداية الرسالة المعاد توجيهها|بدء الرسالة المُعاد توجيهها|رسالة معاد إرسالها|الرسالة المحولة",
        devices: "أرسلت من …|مرسل من …|تم الإرسال من …|أُرسلت من …|الحصول على outlook …|ارسلت من …|أرسل من …|\
            احصل على outlook …|أُرسل من …",
        farewells: "مع التحية|تحياتي|شكرا|شكراً|مع خالص التحية|وتفضلوا بقبول فائق الاحترام|مع الشكر|\
            أطيب التحيات|مع أطيب التحيات|وشكرا|شكرا لكم|مع تحياتي|تحية طيبة|والسلام عليكم",
        disclaimers: "هذه الرسالة|هذا البريد|المعلومات الواردة في|إخلاء مسؤولية",
    },
    // Hebrew
    Language {
        opens: "בתאריך |ב-|ביום |",
        said: "כתב|כתבה|כתב/ה|כתב‏/ה|מאת|כתב את הדברים הבאים|כתבו",
        inside: "מאת|כתב",
        from: "מאת|מ|שולח|מאת השולח",
        telling: "נשלח|נושא|נשלח ב|נשלחה",
        fields: "תאריך|אל|עותק|לכבוד|העתק|השב אל",
        separators: "הודעה מקורית|הודעה שהועברה|הודעה שמועברת|תחילת ההודעה שהועברה|הודעת מקור",
        devices: "נשלח מ…|נשלח באמצעות …|נשלח מה…|קבל את outlook …|השג את outlook …",
        farewells: "בברכה|תודה|בכבוד רב|תודה רבה|בתודה|יום טוב|תודה מראש|בתודה מראש",
        ..NONE
    },
    // Persian
    Language {
        opens: "در |در تاریخ |",
        said: "نوشت|نوشته است|نوشته‌است|چنین نوشت|نوشتند",
        inside: "نوشت",
        from: "از|فرستنده",
        telling: "ارسال|موضوع|ارسال شده|فرستاده شده",
        fields: "تاریخ|به|رونوشت|گیرنده",
        separators: "پیام اصلی|پیام ارسال‌شده|پیام فرستاده شده|پیام هدایت‌شده|پیام بازارسال‌شده",
        devices: "ارسال شده از …|فرستاده شده از …",
        farewells: "با احترام|با تشکر|با سپاس|متشکرم|ممنون|ارادتمند",
        ..NONE
    },
    // Hindi
    Language {
        opens: "",
        said: "ने लिखा|लिखा|ने लिखा था|ने लिखा है",
        inside: "ने लिखा",
        from: "प्रेषक|से|द्वारा",
        telling: "विषय|भेजा गया|प्रेषित|भेजा",
        fields: "दिनांक|प्रति|प्राप्तकर्ता|को|तारीख",
        separators: "मूल संदेश|अग्रेषित संदेश|फ़ॉरवर्ड किया गया संदेश",
        devices: "… से भेजा गया",
        farewells: "धन्यवाद|सादर|शुभकामनाओं सहित|आपका",
        ..NONE
    },
];
