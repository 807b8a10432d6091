import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { can } from '@/access/can'
import type { Agency } from '@/api/model'
import { agenciesQuery, sessionQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { AgencyDialog, NewAgencyDialog } from '@/people/AgencyDialog'
import { FailureNotice } from '@/people/FailureNotice'
import table from '@/people/Table.module.css'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import { EmptyState } from '@/ui/EmptyState'
import { Waiting } from '../Waiting'
import styles from './Admin.module.css'

type Open = Readonly<{ dialog: 'new' }> | Readonly<{ dialog: 'rename'; code: string }>

export function AgenciesPage() {
  const text = useText()
  const { data: me } = useQuery(sessionQuery)
  const { data: agencies, error } = useQuery(agenciesQuery)
  const [open, setOpen] = useState<Open>()
  useTitle(text('groups.agencies.title'), text('common.product'))
  const mayNotMake = can(me, { kind: 'agency', action: 'configure' })
    ? undefined
    : text('groups.agencies.mayNot')
  const mayNotRename = ({ code }: Agency) =>
    can(me, { kind: 'agency', agency: code, action: 'configure' })
      ? undefined
      : text('groups.agencies.mayNot')
  const renamed =
    open?.dialog === 'rename' ? agencies?.find((one) => one.code === open.code) : undefined
  const close = () => setOpen(undefined)
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <h1 className={styles.title}>{text('groups.agencies.title')}</h1>
        <Button
          look="primary"
          icon="plus"
          disabledReason={mayNotMake}
          onClick={() => setOpen({ dialog: 'new' })}
        >
          {text('groups.agencies.new')}
        </Button>
      </header>
      {!agencies && (error ? <FailureNotice error={error} /> : <Waiting />)}
      {agencies?.length === 0 && <EmptyState icon="site" title={text('groups.agencies.none')} />}
      {agencies && agencies.length > 0 && (
        <div className={table.frame}>
          <table className={table.table} aria-label={text('groups.agencies.title')}>
            <thead>
              <tr>
                <th scope="col">
                  <Text id="groups.field.nameEn" />
                </th>
                <th scope="col">
                  <Text id="groups.field.nameAr" />
                </th>
                <th scope="col">
                  <Text id="groups.column.change" />
                </th>
              </tr>
            </thead>
            <tbody>
              {agencies.map((agency) => (
                <tr key={agency.code}>
                  <td>
                    <bdi>{agency.name.en}</bdi>
                    <div className={table.detail}>
                      <Code>{agency.code}</Code>
                    </div>
                  </td>
                  <td>
                    <bdi lang="ar">{agency.name.ar}</bdi>
                  </td>
                  <td className={table.tight}>
                    <Button
                      disabledReason={mayNotRename(agency)}
                      onClick={() => setOpen({ dialog: 'rename', code: agency.code })}
                    >
                      {text('groups.agencies.rename')}
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {open?.dialog === 'new' && <NewAgencyDialog onClose={close} />}
      {renamed && <AgencyDialog agency={renamed} onClose={close} />}
    </div>
  )
}
