import { useId } from 'react'
import type { Piece } from './coverage'
import styles from './LanePieces.module.css'

type Props = Readonly<{ pieces: readonly Piece[]; height: number }>

/** The rectangles of a lane, for inside an `<svg>`. Each look has a pattern, not only a colour. */
export function LanePieces({ pieces, height }: Props) {
  const id = useId()
  const fill = (name: string) => `url(#${id}${name})`
  const fills: Partial<Record<Piece['look'], string>> = {
    edge: fill('edge'),
    policy: fill('policy'),
    pending: fill('pending'),
    unexplained: fill('unexplained'),
    lost: fill('lost'),
  }
  return (
    <>
      <defs>
        <pattern
          id={`${id}edge`}
          width="6"
          height="6"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect className={styles.edgeGround} width="6" height="6" />
          <rect className={styles.edge} width="3" height="6" />
        </pattern>
        <pattern
          id={`${id}lost`}
          width="5"
          height="5"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(-45)"
        >
          <rect className={styles.lost} width="5" height="5" />
          <rect className={styles.lostGround} width="1.6" height="5" />
        </pattern>
        <pattern id={`${id}policy`} width="6" height="6" patternUnits="userSpaceOnUse">
          <rect className={styles.policyGround} width="6" height="6" />
          <circle className={styles.policy} cx="3" cy="3" r="0.9" />
        </pattern>
        <pattern id={`${id}pending`} width="8" height="8" patternUnits="userSpaceOnUse">
          <rect className={styles.pending} y="3.5" width="4" height="1" />
        </pattern>
        <pattern id={`${id}unexplained`} width="6" height="6" patternUnits="userSpaceOnUse">
          <rect className={styles.oddGround} width="6" height="6" />
          <path className={styles.odd} d="M0 0l6 6M6 0 0 6" />
        </pattern>
      </defs>
      {pieces.map((piece) => (
        <rect
          key={`${piece.look}${piece.offset}`}
          data-look={piece.look}
          className={styles[piece.look === 'centre' ? 'centre' : 'patterned']}
          fill={fills[piece.look]}
          x={piece.offset}
          width={piece.width}
          height={height}
        />
      ))}
    </>
  )
}
