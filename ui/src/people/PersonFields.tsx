import type { MessageId } from '@/i18n/messages'
import { useText } from '@/i18n/use-text'
import { CheckboxList } from '@/ui/CheckboxList'
import { Code } from '@/ui/Code'
import { SelectField, TextField } from '@/ui/Field'
import styles from './Form.module.css'
import type { PersonDraft } from './person'
import { RulesEditor } from './RulesEditor'
import type { Directory } from './use-directory'

type Props = Readonly<{
  draft: PersonDraft
  problems: Partial<Record<keyof PersonDraft, MessageId>>
  set: (part: Partial<PersonDraft>) => void
  directory: Directory
  disabledBy: string | undefined
  disabledReason: string | undefined
}>

type TextName = Exclude<keyof PersonDraft, 'roles' | 'permissions'>

/** The fields of a person, old or new. */
export function PersonFields(props: Props) {
  const { draft, problems, set, directory, disabledBy, disabledReason } = props
  const text = useText()
  const field = (name: TextName, maxLength: number) => {
    const problem = problems[name]
    return {
      value: draft[name],
      maxLength,
      disabledBy,
      error: problem && text(problem),
      autoComplete: 'off',
      onChange: (value: string) => set({ [name]: value }),
    }
  }
  return (
    <>
      <fieldset className={styles.group}>
        <legend className={styles.legend}>{text('people.part.account')}</legend>
        <div className={styles.pair}>
          <TextField
            label={text('people.field.login')}
            hint={text('people.field.loginHint')}
            dir="ltr"
            {...field('login', 128)}
          />
          <TextField
            label={text('people.field.email')}
            type="email"
            dir="ltr"
            {...field('email', 254)}
          />
          <TextField
            label={text('people.field.displayName')}
            dir="auto"
            {...field('display_name', 128)}
          />
          <TextField
            label={text('people.field.arabicName')}
            dir="auto"
            {...field('arabic_name', 128)}
          />
        </div>
      </fieldset>
      <fieldset className={styles.group}>
        <legend className={styles.legend}>{text('people.part.place')}</legend>
        <div className={styles.pair}>
          <SelectField
            label={text('people.field.agency')}
            hint={text('people.field.agencyHint')}
            disabledBy={disabledBy}
            value={draft.agency}
            options={[
              { value: '', label: text('people.noAgency') },
              ...directory.agencyCodes(draft.agency).map((code) => ({
                value: code,
                label: directory.agencyName(code),
              })),
            ]}
            onChange={(agency) => set({ agency })}
          />
          <TextField
            label={text('people.field.employeeNumber')}
            dir="ltr"
            {...field('employee_number', 32)}
          />
          <TextField
            label={text('people.field.department')}
            dir="auto"
            {...field('department', 128)}
          />
          <TextField label={text('people.field.section')} dir="auto" {...field('section', 128)} />
        </div>
      </fieldset>
      <RoleChoice
        chosen={draft.roles}
        onChange={(roles) => set({ roles })}
        directory={directory}
        disabledBy={disabledBy}
      />
      <RulesEditor
        title={text('people.field.exceptions')}
        hint={text('people.field.exceptionsHint')}
        none={text('people.noExceptions')}
        rules={draft.permissions}
        onChange={(permissions) => set({ permissions })}
        directory={directory}
        disabledReason={disabledReason}
      />
    </>
  )
}

type RoleChoiceProps = Readonly<{
  chosen: readonly string[]
  onChange: (roles: string[]) => void
  directory: Directory
  disabledBy: string | undefined
}>

/** The roles that somebody, or everybody in a group, has. */
export function RoleChoice({ chosen, onChange, directory, disabledBy }: RoleChoiceProps) {
  const text = useText()
  const codes = [...new Set([...directory.roles.map((role) => role.code), ...chosen])]
  return (
    <CheckboxList
      legend={text('people.field.roles')}
      none={text('people.noRoles')}
      choices={codes.map((code) => ({
        value: code,
        label: (
          <>
            <bdi>{directory.roleName(code)}</bdi> <Code>{code}</Code>
          </>
        ),
      }))}
      chosen={chosen}
      onChange={(roles) => onChange([...roles].sort())}
      disabledBy={disabledBy}
    />
  )
}
