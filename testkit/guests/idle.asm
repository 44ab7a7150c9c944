; Halts for ever with interrupts off: the quietest guest there is. One exit at most.
bits 16
org 0
        cli
.halt:  hlt
        jmp     .halt
