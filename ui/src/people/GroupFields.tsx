import type { MessageId } from '@/i18n/messages'
import { useText } from '@/i18n/use-text'
import { SelectField } from '@/ui/Field'
import type { GroupDraft } from './group'
import { NameFields } from './NameFields'
import { RoleChoice } from './PersonFields'
import { RulesEditor } from './RulesEditor'
import type { Directory } from './use-directory'

type Props = Readonly<{
  draft: GroupDraft
  problems: Partial<Record<'name_en' | 'name_ar', MessageId>>
  set: (part: Partial<GroupDraft>) => void
  directory: Directory
  disabledBy: string | undefined
  disabledReason: string | undefined
}>

/** The fields of a group, old or new. */
export function GroupFields(props: Props) {
  const { draft, problems, set, directory, disabledBy, disabledReason } = props
  const text = useText()
  return (
    <>
      <NameFields draft={draft} problems={problems} set={set} disabledBy={disabledBy} />
      <SelectField
        label={text('people.field.agency')}
        hint={text('groups.field.agencyHint')}
        disabledBy={disabledBy}
        value={draft.agency}
        options={[
          { value: '', label: text('groups.anyAgency') },
          ...directory.agencyCodes(draft.agency).map((code) => ({
            value: code,
            label: directory.agencyName(code),
          })),
        ]}
        onChange={(agency) => set({ agency })}
      />
      <RoleChoice
        chosen={draft.roles}
        onChange={(roles) => set({ roles })}
        directory={directory}
        disabledBy={disabledBy}
      />
      <RulesEditor
        title={text('groups.field.permissions')}
        hint={text('groups.field.permissionsHint')}
        none={text('groups.noPermissions')}
        rules={draft.permissions}
        onChange={(permissions) => set({ permissions })}
        directory={directory}
        disabledReason={disabledReason}
      />
    </>
  )
}
