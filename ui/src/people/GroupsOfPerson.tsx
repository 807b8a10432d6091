import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ask } from '@/api/client'
import type { User } from '@/api/model'
import { groupsQuery, userQuery, usersQuery } from '@/api/queries'
import { useFormat, useText } from '@/i18n/use-text'
import { useToasts } from '@/stores/toast'
import { Button, IconButton } from '@/ui/Button'
import { SelectField } from '@/ui/Field'
import { FailureNotice } from './FailureNotice'
import styles from './GroupsOfPerson.module.css'
import type { Directory } from './use-directory'

type Props = Readonly<{
  user: User
  directory: Directory
  disabledReason: string | undefined
}>

/** The groups that somebody is in; each change counts at once. */
export function GroupsOfPerson({ user, directory, disabledReason }: Props) {
  const text = useText()
  const { compare } = useFormat()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const [chosen, setChosen] = useState('')
  const settle = async (changed: User, done: string) => {
    client.setQueryData(userQuery(user.id).queryKey, changed)
    showToast('done', done)
    await Promise.all([
      client.invalidateQueries({ queryKey: usersQuery.queryKey }),
      client.invalidateQueries({ queryKey: groupsQuery.queryKey }),
    ])
  }
  const add = useMutation({
    mutationFn: (id: string) =>
      ask(
        api.POST('/api/v1/iam/users/{id}/groups', {
          params: { path: { id: user.id } },
          body: { group_id: id },
        }),
      ),
    onSuccess: (changed) => settle(changed, text('people.groups.added')),
  })
  const remove = useMutation({
    mutationFn: (group_id: string) =>
      ask(
        api.DELETE('/api/v1/iam/users/{id}/groups/{group_id}', {
          params: { path: { id: user.id, group_id } },
        }),
      ),
    onSuccess: (changed) => settle(changed, text('people.groups.removed')),
  })
  const open = directory.groups
    .filter((group) => !user.groups.some((one) => one.id === group.id))
    .filter((group) => !group.agency || group.agency === user.agency)
    .sort((one, other) => compare(directory.nameOf(one.name), directory.nameOf(other.name)))
  const next = open.find((group) => group.id === chosen) ?? open[0]
  return (
    <div className={styles.groups}>
      {user.groups.length === 0 && <p className={styles.none}>{text('people.groups.none')}</p>}
      <ul>
        {user.groups.map((group) => (
          <li key={group.id} className={styles.group}>
            <bdi>{directory.nameOf(group.name)}</bdi>
            <IconButton
              icon="cross"
              look="ghost"
              align="end"
              aria-label={text('people.groups.remove', { group: directory.nameOf(group.name) })}
              busy={remove.isPending && remove.variables === group.id}
              disabledReason={disabledReason}
              onClick={() => remove.mutate(group.id)}
            />
          </li>
        ))}
      </ul>
      {!disabledReason && next && (
        <div className={styles.add}>
          <SelectField
            label={text('people.groups.choose')}
            value={next.id}
            options={open.map((group) => ({
              value: group.id,
              label: directory.nameOf(group.name),
            }))}
            onChange={setChosen}
          />
          <Button icon="plus" busy={add.isPending} onClick={() => add.mutate(next.id)}>
            {text('people.groups.add')}
          </Button>
        </div>
      )}
      {!disabledReason && !next && <p className={styles.none}>{text('people.groups.noMore')}</p>}
      <FailureNotice error={add.error ?? remove.error} />
    </div>
  )
}
