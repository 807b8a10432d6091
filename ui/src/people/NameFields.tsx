import type { MessageId } from '@/i18n/messages'
import { useText } from '@/i18n/use-text'
import { TextField } from '@/ui/Field'
import styles from './Form.module.css'

type NameDraft = Readonly<{ name_en: string; name_ar: string }>

type Props = Readonly<{
  draft: NameDraft
  problems: Partial<Record<keyof NameDraft, MessageId>>
  set: (part: Partial<NameDraft>) => void
  disabledBy?: string | undefined
}>

/** A name in both languages. */
export function NameFields({ draft, problems, set, disabledBy }: Props) {
  const text = useText()
  return (
    <div className={styles.pair}>
      <TextField
        label={text('groups.field.nameEn')}
        dir="ltr"
        maxLength={128}
        disabledBy={disabledBy}
        error={problems.name_en && text(problems.name_en)}
        value={draft.name_en}
        onChange={(name_en) => set({ name_en })}
      />
      <TextField
        label={text('groups.field.nameAr')}
        dir="rtl"
        maxLength={128}
        disabledBy={disabledBy}
        error={problems.name_ar && text(problems.name_ar)}
        value={draft.name_ar}
        onChange={(name_ar) => set({ name_ar })}
      />
    </div>
  )
}
