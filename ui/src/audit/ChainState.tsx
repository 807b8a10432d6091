import { Fragment } from 'react'
import { useQuery } from '@tanstack/react-query'
import { auditChainQuery } from '@/api/queries'
import { Text } from '@/i18n/Text'
import { useFormat, useText } from '@/i18n/use-text'
import { Code } from '@/ui/Code'
import { Notice } from '@/ui/Notice'
import { Tag } from '@/ui/Tag'
import styles from './audit.module.css'

/** Whether the audit is what was written, and who besides the coordinator remembers it. */
export function ChainState() {
  const text = useText()
  const format = useFormat()
  const { data: chain } = useQuery(auditChainQuery)
  if (!chain) return null
  const open = chain.disputes.filter((dispute) => !dispute.explained_at)
  const whole = chain.state === 'whole'
  return (
    <section className={styles.chain} aria-label={text('audit.chain.title')}>
      <p className={styles.state}>
        <Tag tone={whole ? 'live' : 'bad'} icon={whole ? 'check' : 'alert'}>
          <Text id={whole ? 'audit.chain.whole' : 'audit.chain.broken'} />
        </Tag>
        {chain.head && (
          <span>{text('audit.chain.entries', { count: format.number(chain.head.number) })}</span>
        )}
        <span>
          {chain.verified_at
            ? text('audit.chain.verified', {
                when: format.dateTime(Date.parse(chain.verified_at)),
              })
            : text('audit.chain.notVerified')}
        </span>
      </p>
      {chain.first_broken != null && (
        <Notice tone="bad">
          {text('audit.chain.firstBroken', { number: format.number(chain.first_broken) })}
        </Notice>
      )}
      {open.map((dispute) => (
        <Notice key={`${dispute.agent_id} ${dispute.head.number}`} tone="bad">
          <Text
            id="audit.chain.dispute"
            values={{
              agent: <bdi>{dispute.agent_name}</bdi>,
              number: format.number(dispute.head.number),
              when: format.dateTime(Date.parse(dispute.found_at)),
            }}
          />
        </Notice>
      ))}
      <details className={styles.hash}>
        <summary>{text('audit.chain.witnesses', { count: chain.witnesses.length })}</summary>
        <dl className={styles.facts}>
          {chain.witnesses.map((witness) => (
            <Fragment key={witness.agent_id}>
              <dt>
                <bdi>{witness.agent_name}</bdi>
              </dt>
              <dd>
                <p>
                  {text('audit.chain.witness', {
                    number: format.number(witness.head.number),
                    when: format.dateTime(Date.parse(witness.told_at)),
                  })}
                </p>
                <Code>{witness.head.hash}</Code>
              </dd>
            </Fragment>
          ))}
          {chain.head && (
            <>
              <dt>
                <Text id="audit.chain.head" />
              </dt>
              <dd>
                <Code>{chain.head.hash}</Code>
              </dd>
            </>
          )}
        </dl>
      </details>
    </section>
  )
}
