; Does what the first serial port (0x3F8) tells it, one letter at a time; begins idle.
;   i  idle, woken by the timer 100 times a second     s  spin
;   x  exit storm (port 0x80)                          m  MMIO storm (0xB8000)
;   h  halt for ever                                   r  reset by way of the keyboard controller
; Any other letter is ignored. Between two looks at the port it stays in the chosen behaviour for a while.
bits 16
org 0
%include "tick.inc"
idle:   hlt
        call    poll
        jmp     idle

spin:   mov     cx, 5000
.again: loop    .again
        call    poll
        jmp     spin

exits:  mov     cx, 200
.again: out     0x80, al
        loop    .again
        call    poll
        jmp     exits

mmio:   mov     ax, 0xb800
        mov     ds, ax
        mov     cx, 200
.again: mov     [0], al
        loop    .again
        call    poll
        jmp     mmio

halt:   cli
        mov     al, 0xff                        ; the timer masked too
        out     0x21, al
.for_ever:
        hlt
        jmp     .for_ever

reset:  mov     al, 0xfe                        ; keyboard controller: pulse the CPU's reset line
        out     0x64, al
        jmp     halt

; Returns when nothing was said; otherwise drops its return address and goes to the new behaviour.
poll:   mov     dx, 0x3fd
        in      al, dx
        test    al, 1
        jz      .stay
        mov     dx, 0x3f8
        in      al, dx
        mov     bx, idle
        cmp     al, 'i'
        je      .go
        mov     bx, spin
        cmp     al, 's'
        je      .go
        mov     bx, exits
        cmp     al, 'x'
        je      .go
        mov     bx, mmio
        cmp     al, 'm'
        je      .go
        mov     bx, halt
        cmp     al, 'h'
        je      .go
        mov     bx, reset
        cmp     al, 'r'
        je      .go
.stay:  ret
.go:    add     sp, 2
        jmp     bx
