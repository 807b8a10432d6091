/** The coordinator's sentences that the mock needs (`coordinator/src/http/vocabulary.rs`, `error.rs`). */
import type { Cause, ProblemCode, Reason } from '@/api/model'

type Sentence = Readonly<{ en: string; ar: string }>

type Explained = Sentence & Readonly<{ cause: Cause }>

export const REASONS = {
  camera_unreachable: {
    cause: 'network',
    en: 'The camera could not be reached.',
    ar: 'تعذّر الوصول إلى الكاميرا.',
  },
  camera_refused_credentials: {
    cause: 'camera',
    en: 'The camera refused the user name or password.',
    ar: 'رفضت الكاميرا اسم المستخدم أو كلمة المرور.',
  },
  packets_lost: {
    cause: 'network',
    en: 'Pictures were lost on the network between camera and agent.',
    ar: 'فُقدت صور في الشبكة بين الكاميرا والوكيل.',
  },
  disk_full: {
    cause: 'disk',
    en: "The agent's disk was full.",
    ar: 'كان قرص الوكيل ممتلئًا.',
  },
  host_down: {
    cause: 'host',
    en: "The agent's computer was off or without power.",
    ar: 'كان جهاز الوكيل متوقفًا أو بلا كهرباء.',
  },
  operator_restart: {
    cause: 'operator',
    en: 'The camera was restarted or its settings were changed.',
    ar: 'أُعيد تشغيل الكاميرا أو غُيّرت إعداداتها.',
  },
  outside_schedule: {
    cause: 'policy',
    en: 'The schedule does not ask for a recording at this time.',
    ar: 'لا يشمل الجدول الزمني التسجيل في هذا الوقت.',
  },
  recording_off: {
    cause: 'policy',
    en: 'Recording is switched off.',
    ar: 'التسجيل متوقف.',
  },
} as const satisfies Partial<Record<Reason, Explained>>

export type MockReason = keyof typeof REASONS

export const PROBLEMS = {
  unauthenticated: { status: 401, en: 'Sign in to continue.', ar: 'سجّل الدخول للمتابعة.' },
  wrong_credentials: {
    status: 401,
    en: 'The login or the password is wrong.',
    ar: 'اسم المستخدم أو كلمة المرور غير صحيحة.',
  },
  wrong_code: {
    status: 401,
    en: 'The code is wrong or was used already.',
    ar: 'الرمز غير صحيح أو سبق استخدامه.',
  },
  not_admitted: {
    status: 403,
    en: 'The identity provider knows you, but you may not sign in here; ask an administrator.',
    ar: 'يعرفك مزوّد الهوية، لكن لا يُسمح لك بالدخول هنا؛ راجع مدير النظام.',
  },
  sign_in_expired: {
    status: 401,
    en: 'This sign-in took too long; begin again.',
    ar: 'استغرق تسجيل الدخول وقتًا طويلًا؛ ابدأ من جديد.',
  },
  forbidden: { status: 403, en: 'You may not do this.', ar: 'لا يُسمح لك بهذا الإجراء.' },
  link_expired: {
    status: 403,
    en: 'This link has expired; open the recording again.',
    ar: 'انتهت صلاحية هذا الرابط؛ افتح التسجيل من جديد.',
  },
  not_found: {
    status: 404,
    en: 'There is no such thing here.',
    ar: 'العنصر المطلوب غير موجود.',
  },
  more_than_own: {
    status: 403,
    en: 'Nobody can give or take more than they may do themselves.',
    ar: 'لا يمكن لأحد أن يمنح أو يسحب أكثر مما يملكه من صلاحيات.',
  },
  conflict: {
    status: 409,
    en: 'Somebody else changed this at the same time; look again.',
    ar: 'غيّر شخص آخر هذا العنصر في الوقت نفسه؛ أعد التحقق.',
  },
  taken: {
    status: 409,
    en: 'This name or number is taken.',
    ar: 'هذا الاسم أو الرقم مستخدم بالفعل.',
  },
  built_in: {
    status: 409,
    en: 'This comes with the product and cannot be changed.',
    ar: 'هذا جزء من المنتج ولا يمكن تغييره.',
  },
  in_use: {
    status: 409,
    en: 'This is still in use.',
    ar: 'هذا العنصر لا يزال مستخدمًا.',
  },
  wrong_password: {
    status: 422,
    en: 'The old password is wrong.',
    ar: 'كلمة المرور القديمة غير صحيحة.',
  },
  weak_password: {
    status: 422,
    en: 'This password cannot be used; take a longer one that is hard to guess.',
    ar: 'لا يمكن استخدام كلمة المرور هذه؛ اختر كلمة أطول يصعب تخمينها.',
  },
  invalid_value: {
    status: 422,
    en: 'A value in the request is not allowed.',
    ar: 'إحدى القيم في الطلب غير مسموح بها.',
  },
  too_many_attempts: {
    status: 429,
    en: 'Too many attempts; wait a moment and try again.',
    ar: 'محاولات كثيرة جدًا؛ انتظر قليلًا ثم حاول مرة أخرى.',
  },
  agent_offline: {
    status: 503,
    en: 'The site is not connected at the moment.',
    ar: 'الموقع غير متصل حاليًا.',
  },
} as const satisfies Partial<Record<ProblemCode, Sentence & { status: number }>>

export type MockProblem = keyof typeof PROBLEMS
